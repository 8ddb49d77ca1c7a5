# SPDX-License-Identifier: Apache-2.0
"""A Ceph of one node: a monitor, one object store, in memory or on the disk, and gateways that speak S3. All that it keeps is below one folder."""
import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid

from support.ports import Port
from support.waiting import wait_until

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
osd objectstore = {objectstore}
memstore device bytes = 4G
bluestore block size = 2G
bluestore cache size = 64M
bluestore cache autotune = false
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


def started(folder, *words):
    """In the foreground (-f), so that it is a child."""
    with open(folder / "log" / "daemons.log", "ab") as log:
        return subprocess.Popen(bound_to_parent(*words, "-c", str(folder / "ceph.conf"), "-f"), stdout=log, stderr=log, stdin=subprocess.DEVNULL)


class Gateway:
    """One that speaks S3, at a port of its own. It may be killed, and started again."""

    def __init__(self, folder):
        self.folder, self.reserved, self.process = folder, Port(), None
        self.port = self.reserved.number
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process = started(self.folder, "radosgw", "-n", f"client.rgw-{self.port}", "--rgw-frontends", f"beast endpoint=127.0.0.1:{self.port} tcp_nodelay=1")
        try:
            self.await_answer()
        except BaseException:
            self.kill()
            raise
        return self

    def await_answer(self):
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            assert self.process.poll() is None, (self.folder / "log" / "daemons.log").read_text()[-2000:]
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                # Nothing tells when it listens; when it has ended, this returns at once.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(0.1)
        raise AssertionError("radosgw did not start in time")

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        process, self.process = self.process, None
        if process:
            process.kill()
            process.wait()

    def stop(self):
        self.kill()
        self.reserved.close()


class Cluster:
    """One that is there, whoever has started it."""

    def __init__(self, folder, urls):
        self.folder, self.urls = folder, urls

    @property
    def ports(self):
        return [int(url.rsplit(":", 1)[1]) for url in self.urls]

    def gateway(self):
        """One more, for who is going to do it harm; stop it."""
        return Gateway(self.folder).start()


class Ceph(Cluster):
    def __init__(self, folder, gateways=1, objectstore="memstore", more=""):
        super().__init__(folder, [])
        self.objectstore, self.more, self.monitor, self.osd, self.gateways = objectstore, more, None, None, []
        # Held to the end: of ports that were merely found free one may be another test's by the time that Ceph listens there.
        self.reserved = [Port(), Port()]
        try:
            self.begin(gateways)
        except BaseException:
            self.stop()
            raise

    def begin(self, gateways):
        for name in ("mon", "osd", "log", "rgw"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        v2, v1 = (port.number for port in self.reserved)
        fsid = str(uuid.uuid4())
        self.conf = self.folder / "ceph.conf"
        self.conf.write_text(CONFIGURATION.format(folder=self.folder, fsid=fsid, v2=v2, v1=v1, objectstore=self.objectstore) + self.more)
        self.start_cluster(fsid, v2, v1)
        for _ in range(gateways):
            self.gateways.append(self.gateway())
            self.urls.append(self.gateways[-1].url)
        self.call("radosgw-admin", "-n", "client.admin", "-c", str(self.conf), "user", "create", "--uid=larder", "--display-name=Larder",
                  f"--access-key={KEY}", f"--secret={SECRET}")

    def call(self, *words):
        with open(self.folder / "log" / "commands.log", "ab") as log:
            subprocess.run(bound_to_parent(*words), check=True, stdout=log, stderr=log, timeout=DEADLINE_S)

    def start_cluster(self, fsid, v2, v1):
        monmap, osd = self.folder / "monmap", str(uuid.uuid4())
        self.call("monmaptool", "--create", "--fsid", fsid, "--addv", "a", f"[v2:127.0.0.1:{v2},v1:127.0.0.1:{v1}]", str(monmap))
        self.call("ceph-mon", "-i", "a", "-c", str(self.conf), "--mkfs", "--monmap", str(monmap))
        self.monitor = started(self.folder, "ceph-mon", "-i", "a")
        self.call("ceph", "-c", str(self.conf), "--connect-timeout", str(DEADLINE_S), "osd", "new", osd)
        self.call("ceph-osd", "-i", "0", "-c", str(self.conf), "--mkfs", "--osd-uuid", osd)
        self.start_osd()

    def start_osd(self):
        self.osd = started(self.folder, "ceph-osd", "-i", "0")

    def kill_osd(self):
        process, self.osd = self.osd, None
        if process:
            process.kill()
            process.wait()

    def stop(self):
        for gateway in self.gateways:
            gateway.stop()
        self.kill_osd()
        if self.monitor:
            self.monitor.kill()
            self.monitor.wait()
        for port in self.reserved:
            port.close()
        for path in self.folder.iterdir():
            if path.is_dir() and path.name != "log":
                shutil.rmtree(path, ignore_errors=True)
            elif not path.is_dir():
                path.unlink()


class SharedCeph:
    """One for all of pytest's processes: begun by the one that they have in common when the first of them asks, and ended with it."""

    def __init__(self, folder, prepare):
        self.folder, self.prepare = folder, prepare
        self.over, self.thread = threading.Event(), threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        """All on this thread: with it ends what is bound to its parent."""
        while not (self.folder / "wanted").exists():
            if self.over.wait(0.1):
                return
        try:
            ceph = Ceph(self.folder / "ceph", gateways=2)
        except BaseException as fault:
            self.tell({"fault": repr(fault)})
            raise
        try:
            self.prepare(ceph)
            self.tell({"urls": ceph.urls})
            self.over.wait()
        finally:
            ceph.stop()

    def tell(self, what):
        (self.folder / "fresh").write_text(json.dumps(what))
        (self.folder / "fresh").rename(self.folder / "told")

    def stop(self):
        self.over.set()
        self.thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)


def shared_ceph(folder):
    """What another process has begun there."""
    (folder / "wanted").touch()
    told = json.loads(wait_until(lambda: (folder / "told").exists() and (folder / "told").read_text(), "Ceph"))
    assert "urls" in told, told
    return Cluster(folder / "ceph", told["urls"])
