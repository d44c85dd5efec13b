"""Clients of the outside services. Only the rules in rules/fetch.smk use them; all others read the files they leave."""
