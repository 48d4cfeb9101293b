"""The in-flight rule as it was first tried, for comparison; the product's is in the mux.

Bytes written and not acknowledged are bounded by W = gain * B * R: B is the rate at which the peer reads, by its own
clock; R is the round trip without the queue that our own bytes make. Time is an argument, in seconds."""

from collections import deque

GAIN, STARTUP_GAIN, DRAIN_GAIN, FOREIGN_GAIN = 1.2, 2.0, 0.75, 0.6
STARTUP_PACE = 2.5
FIRST, LEAST, MOST = 64 << 10, 4 << 10, (2 << 20) - (128 << 10)  # ssh's own window is 2 MiB
SLACK = 0.002
KEPT_ROUNDS = 8
DRAIN_EVERY = 5.0
MEMORY = 10.0


class Least:
    """The minimum of the last MEMORY seconds."""

    def __init__(self):
        self.kept = deque()

    def add(self, now, value):
        while self.kept and self.kept[-1][1] >= value:
            self.kept.pop()
        self.kept.append((now, value))
        while len(self.kept) > 1 and self.kept[0][0] < now - MEMORY:
            self.kept.popleft()

    def value(self):
        return self.kept[0][1]


class Rule:
    def __init__(self):
        self.window, self.mode, self.foreign = FIRST, "startup", False
        self.sent = self.acked = 0
        self.acked_at = None
        self.marks = deque()
        self.least_delay, self.least_trip = Least(), Least()
        self.rates = deque(maxlen=KEPT_ROUNDS)
        self.best_rate, self.path, self.rate = 0, None, 0
        self.flat_rounds, self.emptied_at, self.drain_until, self.drain_queue = 0, 0.0, 0.0, 0.0
        self.fast = self.last_fast = None
        self.round_end = None
        self.begin_round()

    def begin_round(self):
        self.limited = False
        self.rate_sum = self.rate_count = self.path_sum = self.path_count = 0
        self.least_queue = float("inf")

    def on_sent(self, now, offset):
        if self.round_end is None:
            self.round_end, self.limited = offset, False
        if self.sent == self.acked:
            self.fast = self.last_fast = None
        self.sent = offset
        self.marks.append((offset, now, self.acked, self.acked_at))

    def on_ack(self, now, received, peer_time, blocked):
        mark = None
        while self.marks and self.marks[0][0] <= received:
            mark = self.marks.popleft()
        self.acked, self.acked_at = max(self.acked, received), peer_time
        if mark is None:
            return
        _, written, acked_then, peer_then = mark
        trip, delay = now - written, peer_time - written
        self.least_trip.add(now, trip)
        self.least_delay.add(now, delay)
        base = max(self.least_trip.value(), 1e-4)
        queue = delay - self.least_delay.value()
        if queue <= 0.1 * base + SLACK:
            self.emptied_at, self.foreign = now, False
        self.least_queue = min(self.least_queue, queue)
        self.path_sum += trip - queue
        self.path_count += 1
        if peer_then is not None and peer_time > peer_then:
            self.rate_sum += (received - acked_then) / (peer_time - peer_then)
            self.rate_count += 1
        self.limited |= not blocked
        if self.mode == "drain":
            self.drain_queue = min(self.drain_queue, queue)
        if not self.foreign:
            self.look_for_a_slower_link(received, peer_time, queue, base)
        if self.round_end is not None and received >= self.round_end:
            self.end_round(now, trip)

    def look_for_a_slower_link(self, received, peer_time, queue, base):
        if self.fast is None:
            self.fast = [peer_time, received, queue, 0]
            return
        self.fast[2] = min(self.fast[2], queue)
        self.fast[3] += 1
        span = peer_time - self.fast[0]
        if span < 0.5 * base or self.fast[3] < 3:
            return
        seen = ((received - self.fast[1]) / span, self.fast[2])
        settled = self.mode != "startup" and self.path
        if self.last_fast and settled and min(seen[1], self.last_fast[1]) > 0.5 * base + SLACK:
            better = max(seen[0], self.last_fast[0])
            if better < self.rate:
                self.rates.clear()
                self.rates.append(better)
                self.rate = better
                self.window = max(min(self.window, better * self.path), LEAST)
        self.last_fast, self.fast = seen, [peer_time, received, queue, 0]

    def end_round(self, now, trip):
        base, queue = max(self.least_trip.value(), 1e-4), self.least_queue
        path = self.path_sum / self.path_count
        self.path = path if self.path is None else self.path + 0.25 * (path - self.path)
        if self.rate_count:
            rate = self.rate_sum / self.rate_count
            if not self.limited or rate > self.rate:
                self.rates.append(rate)
        self.rate = max(self.rates, default=self.rate)
        self.change_mode(now, trip, base, queue)
        self.set_window(trip)
        self.round_end = self.sent if self.sent > self.acked else None
        self.begin_round()

    def change_mode(self, now, trip, base, queue):
        if self.mode == "startup" and self.rates:
            if not self.limited and self.rate >= 1.25 * self.best_rate:
                self.best_rate, self.flat_rounds = self.rate, 0
            elif not self.limited:
                self.flat_rounds += 1
            if self.flat_rounds >= 3 or queue > 0.25 * base + SLACK:
                self.mode = "run"
                self.rates = deque(list(self.rates)[-2:], maxlen=KEPT_ROUNDS)
                self.rate = max(self.rates)
        if self.mode == "drain":
            if now >= self.drain_until:
                self.mode, self.emptied_at = "run", now
                self.foreign = self.drain_queue > 0.4 * base + SLACK
        elif self.mode == "run" and now - self.emptied_at > DRAIN_EVERY and not self.limited:
            self.mode, self.drain_until, self.drain_queue = "drain", now + trip, float("inf")

    def set_window(self, trip):
        if self.foreign and self.mode == "run":
            wanted = min(GAIN * self.rate * trip, STARTUP_PACE * self.rate * self.path) + self.frame()
        else:
            drain = FOREIGN_GAIN if self.foreign else DRAIN_GAIN
            gain = {"startup": STARTUP_GAIN, "run": GAIN, "drain": drain}[self.mode]
            wanted = gain * self.rate * self.path + (0 if self.mode == "drain" else self.frame())
        if self.mode == "startup":
            wanted = max(wanted, self.window)
        self.window = min(max(wanted, LEAST), MOST)

    def pace(self):
        """Bytes in a second that bulk may leave at."""
        return (STARTUP_PACE if self.mode == "startup" or self.foreign else GAIN) * self.rate

    def frame(self):
        return int(min(max(self.rate * 0.002, 1024), 16384))
