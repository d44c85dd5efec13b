#!/bin/sh
# Entry point of the image: `snakedriz ...` runs the command line tools, anything else is arguments of Snakemake.
set -eu
if [ "${1-}" = snakedriz ]; then
    shift
    set -- env PYTHONPATH=/opt/snakedriz/scripts python -m snakedriz.cli.main "$@"
else
    set -- snakemake --snakefile /opt/snakedriz/Snakefile "$@"
fi

# Caches of astropy, matplotlib and Snakemake go where a read-only root leaves room, and never among the results.
HOME=$(mktemp -d /tmp/home.XXXXXX)
export HOME USER=snakedriz

# Started as root, become the owner of /data and give up every capability for good: the results then belong to whom the
# folder belongs to, under docker (a user's folder has the user's number) and rootless podman (it has number 0, which
# stands for the user outside). Started as another user (--user), or without capabilities, there is nothing to give up.
if [ "$(id -u)" = 0 ] && ! grep -q '^CapEff:[[:space:]]*0*$' /proc/self/status; then
    owner=$(stat -c %u /data)
    group=$(stat -c %g /data)
    chown "$owner:$group" "$HOME"
    exec setpriv --reuid "$owner" --regid "$group" --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs "$@"
fi
if [ ! -w /data ]; then
    echo "snakedriz: user $(id -u) may not write to /data, which belongs to user $(stat -c %u /data): leave --user out, or" \
        "give the owner's number" >&2
    exit 1
fi
exec "$@"
