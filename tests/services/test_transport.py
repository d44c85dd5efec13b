"""Retries, budgets, redirects, credentials."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from helpers.loopback import Reply, serve
from snakedriz.services import failures
from snakedriz.services.retries import Budget
from snakedriz.services.transport import Client

KINDS = ("text/csv",)


def good(request):
    return Reply(b"a,b\r\n", "text/csv")


@pytest.mark.parametrize("fault", ["503", "hang up", "empty", "cut"])
def test_passing_faults_are_survived(client, pauses, fault):
    with serve(good) as server:
        server.fault, server.times = fault, 2
        assert client.ask(server.url, KINDS).content == b"a,b\r\n"
        assert len(server.asked) == 3
    assert 0.5 <= pauses[0] <= 1.5
    assert 1.0 <= pauses[1] <= 3.0  # doubled, each varied by 0.5 to 1.5


@pytest.mark.parametrize("fault", ["403", "html", "other type", "redirect"])
def test_no_retry_where_it_cannot_help(client, fault):
    with serve(good) as server:
        server.fault = fault
        with pytest.raises(failures.ServiceError):
            client.ask(server.url, KINDS)
        assert len(server.asked) == 1


def test_error_names_service_query_finding_and_remedy(client):
    with serve(good) as server:
        server.fault = "500"
        with pytest.raises(failures.ServerFault) as caught:
            client.ask(server.url + "/x?CAT=GAIAeDR3&token=abc123", KINDS)
    for part in ("the service", "status 500", "CAT=GAIAeDR3", "sorry"):
        assert part in caught.value.reason
    assert caught.value.remedy == "try again later, or put the file there by hand"
    assert "abc123" not in str(caught.value)


def test_credentials_are_neither_sent_nor_shown(client, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password verysecret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serve(good) as server:
        client.ask(server.url.replace("//", "//me:verysecret@"), KINDS)
        assert not any(name.lower() == "authorization" for name in server.asked[0].headers)
        server.fault = "redirect"
        with pytest.raises(failures.Redirected) as caught:
            client.ask(server.url.replace("//", "//me:verysecret@"), KINDS)
    assert "secret" not in str(caught.value)


def test_redirect_within_the_service_is_followed(client):
    def answer(request):
        if request.path == "/old":
            return Reply(b"moved", "text/plain", 301, {"Location": "/new"})
        return good(request)

    with serve(answer) as server:
        assert client.ask(server.url + "/old", KINDS).content == b"a,b\r\n"


def test_refused_and_unknown_host(client):
    with serve(good) as server:
        url = server.url
    with pytest.raises(failures.Unreachable, match="refused"):
        client.ask(url, KINDS)
    with pytest.raises(failures.Unreachable, match="DNS"):
        client.ask("http://nowhere.invalid/", KINDS)


def test_drip_ends_with_the_budget(monkeypatch):
    now = [0.0]

    def clock():
        now[0] += 4
        return now[0]

    client = Client("s", Budget(attempts=1, seconds=10), clock=clock)
    with serve(lambda r: Reply(b"x" * 500_000, "text/csv")) as server, pytest.raises(failures.TimedOut, match="10 s"):
        client.ask(server.url, KINDS)


def test_certificate_that_nobody_signed(client, tmp_path):
    """A server with a certificate of its own: TLS is verified, and the failure is not retried."""
    key = make_certificate(tmp_path)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *args: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        with pytest.raises(failures.TlsFailure, match="REQUESTS_CA_BUNDLE"):
            client.ask(f"https://127.0.0.1:{server.server_port}/", KINDS)
    finally:
        server.shutdown()
        server.server_close()


def make_certificate(folder):
    import datetime
    import ipaddress

    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
