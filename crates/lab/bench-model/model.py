"""Two peers over ssh that use the rule of rule.py, and somebody who types: what the product is compared with.

    model.py WAY IDLE WARM_UP SECONDS SSH...     the client; WAY is down or up
    model.py agent BULK                          what it starts on the server; BULK is 1 for a download

The client types for IDLE seconds, then bulk begins; what happens after WARM_UP more counts. It prints JSON."""

import json
import os
import select
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rule import Rule

HEAD, ACK = struct.Struct("!cI"), struct.Struct("!cIQd")
KEY = 64
BLOCK = 256 << 10
ZEROS = bytes(64 << 10)
READY = b"RDY!"


class Peer:
    def __init__(self, reader, writer):
        self.reader, self.writer, self.rule = reader, writer, Rule()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        self.written = self.acked = self.received = self.acknowledged = 0
        self.next_bulk = 0.0
        self.pending = self.inbox = b""
        self.control, self.keys, self.trips = [], [], []

    def turn(self, now, bulk, until):
        """Sends and receives what there is; False at the end."""
        if not self.pending:
            self.fill(now, bulk)
        paced = bulk and not self.pending and self.written - self.acked < self.rule.window
        wait = min(until - now, max(self.next_bulk - now, 0.0005) if paced else 0.02)
        writers = [self.writer] if self.pending else []
        readable, writable, _ = select.select([self.reader], writers, [], max(wait, 0))
        if writable:
            try:
                self.pending = self.pending[os.write(self.writer, self.pending):]
            except BlockingIOError:
                pass
            except BrokenPipeError:
                return False
        return not readable or self.take(bulk)

    def fill(self, now, bulk):
        in_flight = self.written - self.acked
        if self.control:
            self.send(now, b"".join(self.control))
            self.control.clear()
        elif self.keys and in_flight < self.rule.window + 4096:
            self.send(now, HEAD.pack(b"K", KEY) + struct.pack("!d", self.keys.pop(0)) + bytes(KEY - 8))
        elif bulk and in_flight < self.rule.window and (not self.rule.rate or now >= self.next_bulk):
            size = self.rule.frame()
            self.send(now, HEAD.pack(b"B", size) + ZEROS[:size])
            if self.rule.rate:
                self.next_bulk = max(self.next_bulk, now - 0.002) + len(self.pending) / self.rule.pace()

    def send(self, now, data):
        self.pending = data
        self.written += len(data)
        self.rule.on_sent(now, self.written)

    def take(self, bulk):
        try:
            data = os.read(self.reader, BLOCK)
        except BlockingIOError:
            return True
        if not data:
            return False
        now, offset = time.monotonic(), 0
        self.inbox += data
        while len(self.inbox) - offset >= HEAD.size:
            kind, length = HEAD.unpack_from(self.inbox, offset)
            if len(self.inbox) - offset < HEAD.size + length:
                break
            self.frame(now, kind, offset + HEAD.size, length, bulk)
            offset += HEAD.size + length
        self.inbox = self.inbox[offset:]
        self.received += offset
        # data is acknowledged, pure acknowledgements are not
        fresh = self.received - self.acknowledged
        if (offset > ACK.size or not bulk) and (fresh >= 512 or self.control):
            self.control.append(ACK.pack(b"A", 16, self.received, now))
            self.acknowledged = self.received
        return True

    def frame(self, now, kind, at, length, bulk):
        if kind == b"A":
            received, peer_time = struct.unpack_from("!Qd", self.inbox, at)
            blocked = bulk and self.written - self.acked >= 0.8 * self.rule.window
            self.acked = max(self.acked, received)
            self.rule.on_ack(now, received, peer_time, blocked)
        elif kind == b"E":
            pressed = struct.unpack_from("!d", self.inbox, at)[0]
            self.trips.append((pressed, now - pressed))
        elif kind == b"K":
            self.control.append(HEAD.pack(b"E", length) + self.inbox[at : at + length])
        elif kind == b"G":
            self.go = True

    go = False


def client(way, idle, warm_up, seconds, ssh):
    command = f"exec python3 -u model/model.py agent {int(way == 'down')}"
    child = subprocess.Popen([*ssh, command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        if os.read(child.stdout.fileno(), len(READY)) != READY:
            raise SystemExit("the other peer did not start")
        print(json.dumps(measure(child, way, idle, warm_up, seconds)))
    finally:
        child.kill()
        child.wait()


def measure(child, way, idle, warm_up, seconds):
    peer = Peer(child.stdout.fileno(), child.stdin.fileno())
    moved = (lambda: peer.acked) if way == "up" else (lambda: peer.received)
    began = next_key = time.monotonic()
    bulk_from, count_from = began + idle, began + idle + warm_up
    end, before, told = count_from + seconds, None, False
    while (now := time.monotonic()) < end:
        if now >= next_key:
            peer.keys.append(now)
            next_key += 0.05
        if now >= bulk_from and not told:
            peer.control.append(HEAD.pack(b"G", 0))
            told = True
        if now >= count_from and before is None:
            before = (now, moved())
        if not peer.turn(now, way == "up" and now >= bulk_from, min(next_key, end)):
            raise SystemExit("ssh ended")
    rate = (moved() - before[1]) / (time.monotonic() - before[0])
    base = [trip for at, trip in peer.trips if at < bulk_from - 0.2]
    trips = [trip for at, trip in peer.trips if at >= count_from]
    return {"rate": rate, "base": base, "trips": trips}


def agent(bulk):
    os.write(1, READY)
    peer = Peer(0, 1)
    while peer.turn(time.monotonic(), bulk and peer.go, time.monotonic() + 1):
        pass


if __name__ == "__main__":
    if sys.argv[1] == "agent":
        agent(sys.argv[2] == "1")
    else:
        client(sys.argv[1], *map(float, sys.argv[2:5]), sys.argv[5:])
