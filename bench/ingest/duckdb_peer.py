"""The peer of bench/ingest: the same rows of features by DuckDB's SQL.

    python duckdb_peer.py features|parse THREADS OUT.parquet FILE...

FILE is a VPC flow log of version 2, .log, .log.gz or .parquet. What is computed is what
`picket features --kind actor --window 1m` says of the columns below: packets of a record
are shared out over the minutes that it touches, both directions of a conversation are
one flow, of two interfaces the one with more bytes counts, and who opened is decided
from the whole hour. Records of at most a minute are taken for granted, and that no two
ends of a conversation with equal ports begin in the same second (the inputs are made so).
Of several ways to write it this was the fastest that was found; the distributions are
counted in two stages, which is faster than count(distinct) and entropy().
"""
import sys

import duckdb

COLUMNS = {
    "version": "INT", "account-id": "VARCHAR", "interface-id": "VARCHAR", "srcaddr": "VARCHAR", "dstaddr": "VARCHAR",
    "srcport": "INT", "dstport": "INT", "protocol": "INT", "packets": "BIGINT", "bytes": "BIGINT",
    "start": "BIGINT", "end": "BIGINT", "action": "VARCHAR", "log-status": "VARCHAR",
}


def source(files):
    names = ", ".join(f"'{f}'" for f in files)
    if files[0].endswith(".parquet"):
        return f"read_parquet([{names}])"
    return (f"read_csv([{names}], delim=' ', header=true, nullstr='-', auto_detect=false, quote='', escape='', "
            f"columns={COLUMNS})")


# A side is an address with its port; a and b are the two sides of a conversation in order.
FEATURES = """
create temp table r as
select case when s then srcaddr else dstaddr end a, case when s then dstaddr else srcaddr end b,
  case when s then srcport else dstport end pa, case when s then dstport else srcport end pb,
  s, protocol proto, "interface-id" iface, packets, bytes, "start" t, action = 'REJECT' refused, m,
  case when m1 > m then packets * ("end" - (m + 1) * 60) // ("end" - "start") else 0 end later, m1
from (select *, (srcaddr, srcport) <= (dstaddr, dstport) s, "start" // 60 m,
        case when "end" > "start" then ("end" - 1) // 60 else "start" // 60 end m1
      from {source} where "log-status" = 'OK');

create temp table x as
with split as (
  select a, b, pa, pb, s, proto, iface, m, packets - later packets, bytes - bytes * later // packets bytes, 1 records,
    refused::int refused, t from r
  union all
  select a, b, pa, pb, s, proto, iface, m + 1, later, bytes * later // packets, 0, 0, t from r where later > 0),
minutes as (
  select a, b, pa, pb, proto, m, iface, sum(packets) filter (s) kpa, sum(packets) filter (not s) kpb,
    sum(bytes) filter (s) kba, sum(bytes) filter (not s) kbb, sum(records) records, sum(refused) refused,
    min(t) filter (s) ta, min(t) filter (not s) tb
  from split group by all),
openers as (
  select a, b, pa, pb, proto, m // 60 h,
    case when bool_or(kpa > 0) is distinct from bool_or(kpb > 0) then bool_or(kpb > 0) is true
         when pa <> pb then pa < pb else min(tb) < min(ta) end other
  from minutes group by a, b, pa, pb, proto, m // 60),
counted as (
  select a, b, pa, pb, proto, m, arg_min(struct_pack(kpa := coalesce(kpa, 0), kpb := coalesce(kpb, 0), kba := coalesce(kba, 0),
    kbb := coalesce(kbb, 0), records := records, refused := refused), struct_pack(x := -(coalesce(kba, 0) + coalesce(kbb, 0)), y := iface)) k
  from minutes group by all)
select case when other then b else a end entity, case when other then a else b end peer,
  case when other then pa else pb end service, case when other then pb else pa end client, proto, m,
  case when other then k.kpb else k.kpa end po, case when other then k.kpa else k.kpb end pi,
  case when other then k.kbb else k.kba end bo, case when other then k.kba else k.kbb end bi, k.records, k.refused
from (select *, m // 60 h from counted) join openers using (a, b, pa, pb, proto, h);

create temp table f as
with w as (
  select entity, m, count(*) n, sum(po) po, sum(pi) pi, sum(bo) bo, sum(bi) bi,
    sum(case when po > 0 then bo::double * bo / po else 0 end + case when pi > 0 then bi::double * bi / pi else 0 end) sq,
    sum((proto = 6)::int) tcp, sum((proto = 17)::int) udp, sum((proto = 1)::int) icmp,
    sum(case when proto = 6 then po + pi else 0 end) ptcp,
    sum((pi = 0)::int) unanswered, sum((proto = 6 and po >= 3 and pi >= 2)::int) established,
    sum(records) records, sum(refused) refused, sum((proto in (6, 17))::int) ported,
    sum((proto = 6 and service in (21, 22, 23, 110, 143, 445, 587, 993, 995, 1433, 3306, 3389, 5432, 5900, 5985))::int) logins
  from x group by all),
p as (select entity, m, count(*) peers, log2(sum(c)) - sum(c * log2(c)) / sum(c) e, max(c) top
  from (select entity, m, peer, count(*) c from x group by all) group by all),
s as (select entity, m, count(*) services, log2(sum(c)) - sum(c * log2(c)) / sum(c) e
  from (select entity, m, service, count(*) c from x where proto in (6, 17) group by all) group by all),
c as (select entity, m, log2(sum(c)) - sum(c * log2(c)) / sum(c) e
  from (select entity, m, client, count(*) c from x where proto in (6, 17) group by all) group by all),
t as (select entity, m, count(*) targets from (select entity, m, peer, service from x group by all) group by all)
select w.entity, w.m * 60 window_start, n flow_count, n / 60 flows_per_second, po / 60 packets_out_per_second,
  pi / 60 packets_in_per_second, bo / 60 bytes_out_per_second, bi / 60 bytes_in_per_second,
  bo / nullif(bo + bi, 0) byte_ratio_out, (po + pi) / n packets_per_flow, (bo + bi) / n bytes_per_flow,
  (bo + bi) / nullif(po + pi, 0) packet_size_mean, bo / nullif(po, 0) packet_size_mean_out, bi / nullif(pi, 0) packet_size_mean_in,
  greatest(0, sq / (po + pi) - ((bo + bi) / (po + pi)) ** 2) flow_mean_packet_size_variance,
  tcp / n tcp_flow_share, udp / n udp_flow_share, icmp / n icmp_flow_share, ptcp / (po + pi) tcp_packet_share,
  -(case when tcp > 0 then tcp / n * log2(tcp / n) else 0 end + case when udp > 0 then udp / n * log2(udp / n) else 0 end
    + case when icmp > 0 then icmp / n * log2(icmp / n) else 0 end) protocol_entropy,
  peers, greatest(0, p.e) peer_ip_entropy, case when peers > 1 then least(1, greatest(0, p.e) / log2(peers)) end peer_ip_entropy_normalised,
  p.top / n top_peer_flow_share, coalesce(services, 0) service_ports, if(s.e < 0, 0, s.e) service_port_entropy,
  if(c.e < 0, 0, c.e) client_port_entropy, targets, n / targets flows_per_target_mean, unanswered / n unanswered_share,
  established / nullif(tcp, 0) established_share, refused / nullif(records, 0) rejected_share, logins / nullif(ported, 0) login_port_share
from w join p using (entity, m) join t using (entity, m) left join s using (entity, m) left join c using (entity, m);

copy (select * from f) to '{out}' (format parquet, compression zstd);
"""

PARSE = """
select count(*), sum(hash(srcaddr) % 7), sum(hash(dstaddr) % 7), sum(srcport), sum(dstport), sum(protocol), sum(packets),
  sum(bytes), sum("start"), sum("end"), sum((action = 'REJECT')::int) from {source}
"""

# Counts and distincts are equal; what is a float differs by rounding alone.
CHECK = """
with theirs as (select * from read_parquet('{theirs}')),
ours as (select *, entity e, epoch(window_start)::bigint s from read_parquet('{ours}') where entity <> '*')
select count(*), count(o.s), count(t.window_start){compare}
from ours o full join theirs t on o.e = t.entity and o.s = t.window_start
"""


def check(db, ours, theirs):
    """Says by how much each column differs at most, relative to its size."""
    names = [d[0] for d in db.execute(f"select * from read_parquet('{theirs}') limit 0").description][2:]
    compare = "".join(
        f", max(abs(o.{n} - t.{n}) / greatest(1, abs(t.{n}))), sum(((o.{n} is null) <> (t.{n} is null))::int)" for n in names)
    row = db.execute(CHECK.format(ours=ours, theirs=theirs, compare=compare)).fetchone()
    exact = ("flow_count", "peers", "service_ports", "targets")
    off, worst = [], 0
    for i, n in enumerate(names):
        by, missing = row[3 + 2 * i], row[4 + 2 * i]
        # A variance from a sum of squares in floats is off where it is small beside the mean.
        allowed = 0 if n in exact else 1e-5 if n.endswith("_variance") else 1e-9
        if by > allowed or missing:
            off.append(f"{n} by {by:.2g}, missing in one alone {missing}")
        if not n.endswith("_variance"):
            worst = max(worst, by)
    if row[0] != row[1] or row[0] != row[2] or off:
        print(f"rows {row[:3]}; {'; '.join(off)}")
        sys.exit(1)
    print(f"{row[0]} rows, {len(names)} columns, largest difference {worst:.1g}")


def main():
    what, threads, out, files = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    db = duckdb.connect()
    db.execute(f"set threads={threads}; set preserve_insertion_order=false")
    if what == "check":
        check(db, out, files[0])
    elif what == "parse":
        print(db.execute(PARSE.format(source=source(files))).fetchone())
    elif what == "parquet":
        db.execute(f"copy (select * from {source(files)}) to '{out}' (format parquet, compression snappy)")
    else:
        db.execute(FEATURES.format(source=source(files), out=out))


main()
