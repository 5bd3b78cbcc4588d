"""How the names of the zone become addresses: an authoritative DNS server for one zone.

It answers from one immutable generation of zone facts held in memory, never from a database, and it knows boxes
by their label only: no customers, no subscriptions.
"""
