"""The figures: how each is measured, and what it is compared with."""

import gzip
import os
import socket
import statistics
import subprocess
import time

import cloud
import machine
import subject
from subject import GZIP, PLAIN

# Enough for a repeatable median: seconds, rounds and polls.
LOAD, ROUNDS, POLLS = 2, 5, 25


class Bench:
    """The environment of all figures."""

    def __init__(self, programs, servers, folder, report, smoke):
        self.programs = programs
        self.servers = servers
        self.folder = folder
        self.report = report
        self.load, self.rounds, self.polls = (1, 1, 3) if smoke else (LOAD, ROUNDS, POLLS)
        self.clients = 1 if smoke else 15
        self.beats = 3 if smoke else 40
        self.idle = 2 if smoke else 60

    def exporter(self, url, *flags):
        return subject.exporter(self.programs, self.folder, url, *flags)


def scrape(bench, services):
    """Median and 99th percentile of a scrape, beside a server that sends the same bytes from memory."""
    for count in services:
        with cloud.Cloud(bench.servers.mariadb, count) as one, bench.exporter(one.url) as ours:
            ours.wait_for(b"\nopenstack_service_up{")
            pages = ours.get(PLAIN), ours.get(GZIP)
            gzip.decompress(pages[1])
            with subject.static_server(bench.programs, bench.folder, *pages) as static:
                for name, headers in (("plain", PLAIN), ("gzip", GZIP)):
                    results = alternate(bench, [ours, static], headers)
                    for figure in ("median", "p99"):
                        value, limit = ([result[figure] for result in each] for each in results)
                        goal = "≤ 1.2"
                        bench.report.add(
                            f"scrape, {name}, {figure}", count, statistics.median(value), "µs",
                            "static server", statistics.median(limit), goal,
                        )


def alternate(bench, subjects, headers, path="/metrics"):
    """Loads the servers in turn, several times: other load on the machine affects all of them."""
    results = [[] for _ in subjects]
    for _ in range(bench.rounds):
        for each, result in zip(subjects, results):
            result.append(each.load(bench.load, headers, path))
    return results


def peers(bench, services):
    """Time of a scrape, and memory, beside other exporters that publish four values of each service."""
    for count in services:
        with cloud.Cloud(bench.servers.mariadb, count) as one:
            all_peers = {
                "prometheus-sql-exporter": lambda: subject.sql_exporter(one, bench.folder),
                "query-exporter": lambda: subject.query_exporter(one, bench.folder, machine.PEERS),
            }
            for peer, start in all_peers.items():
                process, sample = start()
                with process, bench.exporter(one.url) as ours:
                    process.wait_for(sample)
                    ours.wait_until_ready()
                    # One scrape like Prometheus's, before the measurement.
                    process.get(GZIP)
                    ours.get(GZIP)
                    scraped = {
                        "all metrics": ("/metrics", "≤ 1/20"),
                        "four values": (f"/metrics?{subject.FOUR}", "≤ 1/50"),
                    }
                    theirs, results = [], {name: [] for name in scraped}
                    for _ in range(bench.rounds):
                        # Some of them take seconds for one scrape of a hundred thousand services.
                        theirs.append(process.load(bench.load * max(1, count // 20_000), GZIP))
                        for name, (path, _) in scraped.items():
                            results[name].append(ours.load(bench.load, GZIP, path))
                    limit = statistics.median(each["median"] for each in theirs)
                    for name, (_, goal) in scraped.items():
                        value = statistics.median(each["median"] for each in results[name])
                        goal = goal if count == 10_000 else None
                        bench.report.add(f"scrape, gzip, {name}", count, value, "µs", peer, limit, goal)
                    bench.report.add(
                        "resident", count, ours.resident() / 1e6, "MB", peer, process.resident() / 1e6,
                        "< 1/5" if count == 10_000 else None,
                    )


def poll(bench, services):
    """Processor time of a poll, beside a SELECT of the same columns through the engine's C client."""
    for engine in (bench.servers.mariadb, bench.servers.postgresql):
        for count in services:
            # Half of the services send a heartbeat between two polls, as with the default intervals.
            one = cloud.Cloud(engine, count).beating(2)
            for name, headers in (("plain", PLAIN), ("gzip", GZIP)):
                ours, limit = [], []
                with bench.exporter(one.url, "--poll.interval=1s") as exporter:
                    exporter.wait_until_ready()
                    # Wait until the history of every service is full.
                    for _ in range(bench.beats):
                        one.beat(0, 1)
                        time.sleep(1)
                    with one:
                        for _ in range(bench.rounds):
                            exporter.get(headers)
                            ours.append(per_poll(bench, exporter, headers))
                            # The client's time varies by more than the cost of a hundred rows.
                            limit.append(client_time(bench, one, one.select) - client_time(bench, one, "SELECT 1"))
                value, limit = statistics.median(ours) * 1e3, statistics.median(limit) * 1e3
                # A hundred rows can cost less than the variation of a client's start.
                limit = limit if limit > 0 else None
                bench.report.add(f"poll, {name}", count, value, "ms of processor", engine.client, limit, "≤ 2")
            one.drop()


def per_poll(bench, exporter, headers):
    """Returns the processor time of a poll in seconds, the mean of some polls."""
    polls, before = exporter.polls(headers), exporter.processor()
    time.sleep(max(bench.polls / bench.rounds, 1))
    spent = exporter.processor() - before
    done = exporter.polls(headers) - polls
    if done < 1:
        raise SystemExit("no poll was seen")
    return spent / done


def client_time(bench, one, sql):
    """Returns the processor time of the C client for a statement, in seconds: the median of several runs."""
    times = []
    for _ in range(bench.clients):
        process = subprocess.Popen(one.engine.command(sql, one.name), stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{one.engine.client}: exit status {status}")
        times.append(usage.ru_utime + usage.ru_stime)
    return statistics.median(times)


def memory(bench, services):
    """Resident memory once the history of every service is full, while scraped as by Prometheus."""
    least = None
    for count in services:
        one = cloud.Cloud(bench.servers.mariadb, count)
        with bench.exporter(one.url, "--poll.interval=1s") as exporter:
            exporter.wait_until_ready()
            for turn in range(bench.beats):
                started = time.monotonic()
                one.beat(0, 1)
                exporter.get(GZIP)
                time.sleep(max(0, 1.2 - (time.monotonic() - started)))
            resident = exporter.resident()
        if least is None:
            least = (count, resident)
            bench.report.add("resident", count, resident / 1e6, "MB", goal="≤ 20")
        else:
            each = (resident - least[1]) / (count - least[0])
            bench.report.add("resident", count, resident / 1e6, "MB")
            bench.report.add("resident, each service more", count, each / 1024, "KiB", goal="≤ 3")


def database(bench, services):
    """The cost of a poll for the database."""
    counters = ("Bytes_sent", "Bytes_received", "Questions", "Connections", "Rows_sent")
    for count in services:
        one = cloud.Cloud(bench.servers.mariadb, count)
        # The cost of this query is not the exporter's.
        before, _, _, after = (
            status(bench, counters), poll_count(bench), poll_count(bench), status(bench, counters)
        )
        look = {name: after[name] - before[name] for name in counters}
        with bench.exporter(one.url, "--poll.interval=1s") as exporter:
            exporter.wait_until_ready()
            before, polls = status(bench, counters), poll_count(bench)
            time.sleep(max(bench.polls / 8, 2))
            done, after = poll_count(bench) - polls, status(bench, counters)
            each = {name: (after[name] - before[name] - look[name]) / done for name in counters}
        # By the declared types of the columns: four bytes for INT, five for DATETIME, one for TINYINT.
        texts = cloud.COLUMNS.split(", ")
        fixed = {"id": 4, "report_count": 4, "updated_at": 5, "created_at": 5, "disabled": 1, "frozen": 1}
        size = " + ".join(str(fixed[name]) if name in fixed else f"IFNULL(LENGTH({name}), 0)" for name in texts)
        least = float(bench.servers.mariadb.query(f"SELECT SUM({size}) FROM services", one.name)[0][0])
        report = bench.report
        report.add("statements a poll", count, each["Questions"], "", goal="1")
        report.add("connections a poll", count, each["Connections"], "", goal="0 new ones")
        report.add("bytes a poll", count, each["Bytes_sent"], "bytes", "columns", least, "≤ 1.1")


def poll_count(bench):
    """Returns the number of read statements that MariaDB has answered: the polls, if there is no other reader."""
    return status(bench, ["Com_select"])["Com_select"]


def status(bench, counters):
    names = ", ".join(f"'{name}'" for name in counters)
    rows = bench.servers.mariadb.query(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({names})")
    return {name: float(value) for name, value in rows}


def start(bench, _):
    """From exec to the first scrape that has services."""
    one = cloud.Cloud(bench.servers.mariadb, 100)
    demo = bench.servers.environment["HEARTBEAT_TEST_SQLITE"]
    file = bench.folder / "cinder.sqlite"
    file.write_bytes(open(demo, "rb").read())
    insert = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
        "c.executemany('INSERT INTO services (host, \"binary\", report_count, disabled, deleted, updated_at) "
        "VALUES (?, ?, 1, 0, 0, datetime())', [(f'host{i}', 'cinder-volume') for i in range(100)]); c.commit()"
    )
    subprocess.run(["python3", "-c", insert, file], check=True)
    for name, url in (("MariaDB", one.url), ("SQLite", f"sqlite:///{file}")):
        times = []
        for _ in range(bench.rounds * 3):
            with bench.exporter(url) as exporter:
                times.append(exporter.wait_for(b"\nopenstack_service_up{") - exporter.started)
        bench.report.add(f"start, {name}", 100, statistics.median(times) * 1e3, "ms", goal="≤ 150")


def idle(bench, _):
    """Processor time with fifty services and the default settings, scraped every fifteen seconds."""
    with cloud.Cloud(bench.servers.mariadb, 50) as one, bench.exporter(one.url) as exporter:
        exporter.wait_for(b"\nopenstack_service_up{")
        before, started = exporter.processor(), time.monotonic()
        while time.monotonic() - started < bench.idle:
            exporter.get(GZIP)
            time.sleep(min(15, bench.idle))
        share = (exporter.processor() - before) / (time.monotonic() - started)
        bench.report.add("idle", 50, share * 100, "% of a core", goal="≤ 0.1")


def binary(bench, _):
    """The size of the program."""
    size = bench.programs.exporter.stat().st_size
    bench.report.add("binary", None, size / 1e6, "MB", goal="≤ 10")


def sources(bench, _):
    """Memory, processor time and connections of one exporter of several databases, with the default settings."""
    for count in (1, 5, 20):
        clouds = [cloud.Cloud(bench.servers.mariadb, 50, f"bench_source{i}") for i in range(count)]
        urls = {f"source{i}": one.url for i, one in enumerate(clouds)}
        with subject.of_sources(bench.programs, bench.folder, urls) as exporter:
            exporter.wait_until_ready()
            before, started, turn = exporter.processor(), time.monotonic(), 0
            while time.monotonic() - started < bench.idle:
                # Half of the services between two polls, and a scrape each fifteen seconds.
                cloud.beat_all(clouds, turn, 2)
                if turn % 3 == 0:
                    exporter.get(GZIP)
                turn += 1
                time.sleep(min(5, bench.idle))
            share = (exporter.processor() - before) / (time.monotonic() - started)
            open_now = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'bench'"
            connections = float(bench.servers.mariadb.query(open_now)[0][0])
            resident = exporter.resident() / 1e6
        layout = f"{count} × 50"
        bench.report.add("sources, resident", layout, resident, "MB")
        bench.report.add("sources, processor", layout, share * 100, "% of a core")
        bench.report.add("sources, connections", layout, connections, "", goal=str(count))
        for one in clouds:
            one.drop()


def hanging(bench, _):
    """The 99th percentile of the time between two polls of healthy sources, beside one that hangs."""
    clouds = [cloud.Cloud(bench.servers.mariadb, 50, f"bench_source{i}") for i in range(4)]
    healthy = {f"source{i}": one.url for i, one in enumerate(clouds)}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # The system accepts connections, and nobody answers.
        port = silent.getsockname()[1]
        hangs = {"hangs": f"mysql://bench:bench@127.0.0.1:{port}/cinder?ssl-mode=DISABLED"}
        limit, value = (
            statistics.quantiles(poll_intervals(bench, urls), n=100, method="inclusive")[98]
            for urls in (healthy, healthy | hangs)
        )
    bench.report.add("poll interval, p99", "4 × 50", value, "s", "no source that hangs", limit, "≤ 1.1")
    for one in clouds:
        one.drop()


def poll_intervals(bench, urls):
    """Returns the times between two polls of each source that is polled."""
    intervals, last = [], {}
    with subject.of_sources(bench.programs, bench.folder, urls, "--poll.interval=2s") as exporter:
        exporter.wait_until_ready()
        started = time.monotonic()
        while time.monotonic() - started < bench.idle * 2:
            for name, polled in exporter.last_polls().items():
                if name in last and polled > last[name]:
                    intervals.append(polled - last[name])
                last[name] = polled
            # The time is rendered at most once a second. A poll that is not seen would look like a long interval.
            time.sleep(0.1)
    return intervals


ALL = {each.__name__: each for each in (scrape, peers, poll, memory, database, start, idle, sources, hanging, binary)}
