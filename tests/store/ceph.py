# SPDX-License-Identifier: Apache-2.0
"""A Ceph of one node in memory: a monitor, one object store, gateways that speak S3. All that it keeps is below one folder."""
import contextlib
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
import uuid

from support.ports import Port

KEY, SECRET = "AKIALARDERTEST00001", "larderlarderlarderlarderlarder0001"
DEADLINE_S = int(os.environ.get("LARDER_TEST_DEADLINE_S", "120"))

CONFIGURATION = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms client mode = crc
ms cluster mode = crc
ms service mode = crc
ms mon cluster mode = crc
ms mon service mode = crc
osd crush initial weight = 1
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 1
mon pg warn min per osd = 0
osd objectstore = memstore
memstore device bytes = 1G
osd data = {folder}/osd
osd memory target = 939524096
osd class update on start = false
run dir = {folder}
pid file = {folder}/$name.pid
admin socket = {folder}/$name.asok
log file = {folder}/log/$name.log
mon cluster log file = {folder}/log/cluster.log
mon data = {folder}/mon/a
keyring = {folder}/keyring
crash dir = {folder}
[client]
rgw data = {folder}/rgw
rgw enable usage log = false
rgw enable ops log = false
rgw run sync thread = false
rgw gc max objs = 1
rgw lc max objs = 1
rgw usage max shards = 1
rgw override bucket index max shards = 1
rgw thread pool size = 32
rgw num rados handles = 1
"""

# A radosgw whose monitor wants encryption hangs for minutes, hence crc above.


def is_here():
    return all(shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin") for name in ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "setpriv"))


def bound_to_parent(*words):
    """A command that ends with the tests, however these end."""
    return ["setpriv", "--pdeathsig", "KILL", *words]


class Ceph:
    def __init__(self, folder, gateways=1):
        self.folder, self.processes = folder, []
        # Held to the end: of ports that were merely found free one may be another test's by the time that Ceph listens there.
        self.reserved = [Port() for _ in range(2 + gateways)]
        try:
            self.begin()
        except BaseException:
            self.stop()
            raise

    def begin(self):
        for name in ("mon", "osd", "log", "rgw"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        v2, v1, *self.ports = (port.number for port in self.reserved)
        fsid = str(uuid.uuid4())
        self.conf = self.folder / "ceph.conf"
        self.conf.write_text(CONFIGURATION.format(folder=self.folder, fsid=fsid, v2=v2, v1=v1))
        self.start(fsid, v2, v1)

    def call(self, *words):
        with open(self.folder / "log" / "commands.log", "ab") as log:
            subprocess.run(bound_to_parent(*words), check=True, stdout=log, stderr=log, timeout=DEADLINE_S)

    def run(self, *words):
        """In the foreground: -f, so that it is a child."""
        with open(self.folder / "log" / "daemons.log", "ab") as log:
            self.processes.append(subprocess.Popen(bound_to_parent(*words, "-c", str(self.conf), "-f"), stdout=log, stderr=log, stdin=subprocess.DEVNULL))

    def start(self, fsid, v2, v1):
        monmap, osd = self.folder / "monmap", str(uuid.uuid4())
        self.call("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]", str(monmap))
        self.call("ceph-mon", "-i", "a", "-c", str(self.conf), "--mkfs", "--monmap", str(monmap))
        self.run("ceph-mon", "-i", "a")
        self.call("ceph", "-c", str(self.conf), "--connect-timeout", str(DEADLINE_S), "osd", "new", osd)
        self.call("ceph-osd", "-i", "0", "-c", str(self.conf), "--mkfs", "--osd-uuid", osd)
        self.run("ceph-osd", "-i", "0")
        for number, port in enumerate(self.ports):
            self.run("radosgw", "-n", f"client.rgw{number}", "--rgw-frontends", f"beast endpoint=127.0.0.1:{port} tcp_nodelay=1")
            self.await_gateway(self.processes[-1], port)
        self.call("radosgw-admin", "-n", "client.rgw0", "-c", str(self.conf), "user", "create", "--uid=larder", "--display-name=Larder",
                  f"--access-key={KEY}", f"--secret={SECRET}")

    def await_gateway(self, gateway, port):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            assert all(process.poll() is None for process in self.processes), (self.folder / "log" / "daemons.log").read_text()[-2000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                # Nothing tells when it listens; when it has ended, this returns at once.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    gateway.wait(0.1)
        raise AssertionError("radosgw did not start in time")

    @property
    def urls(self):
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        self.processes.clear()
        for port in self.reserved:
            port.close()
        for path in self.folder.iterdir():
            if path.is_dir() and path.name != "log":
                shutil.rmtree(path, ignore_errors=True)
            elif not path.is_dir():
                path.unlink()
