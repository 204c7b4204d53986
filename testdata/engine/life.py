"""A program in Python that has Stile log in for it, over something that is not HTTP.

It starts `stile engine`, which decides, and carries out what it asks for over a
message bus: here one JSON object on a line, on standard output and input, to a
peer that answers for the servers. Only the standard library is used.

usage: life.py TRANSCRIPT COMMAND [ARGUMENT...]
"""

import datetime
import hashlib
import json
import subprocess
import sys


# embedding: begin
class Mistake(Exception):
    """What this program did wrong; nothing has changed in the machine."""


class Engine:
    """stile engine: one line for another."""

    def __init__(self, command, first):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        self.tell(first)

    def tell(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise Mistake(answer["error"]["kind"] + ": " + answer["error"]["message"])
        return answer


class Host:
    """Carries out what the machine asks for. Each method is named after an
    effect; what it returns is the input that answers it."""

    def __init__(self, engine, bus, store, now):
        self.engine, self.bus, self.store, self.now = engine, bus, store, now
        self.grant = self.wake = self.fault = None

    def do(self, name, **members):
        """Gives an input, and goes on until nothing is open."""
        inputs = [{name: members}]
        while inputs:
            answer = self.engine.tell({"input": inputs.pop(0), "time": self.now()})
            for effect in answer["effects"]:
                (kind, asked), = effect.items()
                said = getattr(self, kind)(asked)
                if said is not None:
                    inputs.append(said)
        return answer["state"]

    def Send(self, e):
        if e.get("not_after", "9999") < self.now():
            return {"Unreachable": {"serial": e["serial"], "class": "late"}}
        try:
            response = self.bus.exchange(e["request"], at=max(self.now(), e.get("not_before", "")))
        except OSError as trouble:
            return {"Unreachable": {"serial": e["serial"], "class": "lost", "detail": str(trouble)}}
        body = response.get("body", "")
        if len(body) > e["max_body"]:
            response.update(body=body[:e["max_body"]], oversized=True)
        return {"Responded": {"serial": e["serial"], "response": response}}

    def Visit(self, e):
        # A person's browser goes to e["url"] and comes back to e["redirect_uri"].
        return {"Redirected": {"serial": e["serial"], "url": self.bus.visit(e["url"], at=self.now())}}

    def Ask(self, e):
        if e["question"] == "redirect":  # an address that is listened on
            return {"Answered": {"serial": e["serial"], "value": e["options"][0]}}
        return {"Answered": {"serial": e["serial"]}}  # the default

    def Load(self, e):
        return self.store.load(e)

    def Save(self, e):
        return self.store.save(e)

    def Delete(self, e):
        return self.store.remove(e, "Deleted")

    def Claim(self, e):
        return self.store.remove(e, "Claimed")

    def Lease(self, e):
        return self.store.lease(e)

    def Release(self, e):
        self.store.release(e)

    def Grant(self, e):
        self.grant = e

    def Wake(self, e):
        self.wake = e["at"]

    def Report(self, e):
        self.fault = e["fault"]

    def Note(self, e):
        print(e.get("rule"), e.get("detail"), file=sys.stderr)


class Store:
    """Entries in memory. A generation never comes twice."""

    def __init__(self):
        self.entries, self.leases, self.last = {}, {}, 0

    @staticmethod
    def name(e):
        return json.dumps(e["key"], sort_keys=True)

    def load(self, e):
        if self.name(e) not in self.entries:
            return {"NotFound": {"serial": e["serial"]}}
        value, generation = self.entries[self.name(e)]
        return {"Loaded": {"serial": e["serial"], "value": value, "generation": generation}}

    def save(self, e):
        _, generation = self.entries.get(self.name(e), (None, 0))
        if generation != e.get("expected", 0):
            return {"Conflicted": {"serial": e["serial"]}}
        self.last += 1
        self.entries[self.name(e)] = (e["value"], self.last)
        return {"Saved": {"serial": e["serial"], "generation": self.last}}

    def remove(self, e, done):
        if self.name(e) not in self.entries:
            return {"NotFound": {"serial": e["serial"]}}
        if self.entries[self.name(e)][1] != e.get("expected", 0):
            return {"Conflicted": {"serial": e["serial"]}}
        del self.entries[self.name(e)]
        return {done: {"serial": e["serial"]}}

    def lease(self, e):
        if self.name(e) in self.leases:
            return {"Held": {"serial": e["serial"]}}
        self.last += 1
        self.leases[self.name(e)] = self.last
        return {"Leased": {"serial": e["serial"], "fence": self.last, "ttl": e["ttl"]}}

    def release(self, e):
        if self.leases.get(self.name(e)) == e["fence"]:
            del self.leases[self.name(e)]
# embedding: end


class Bus:
    """Requests out and responses in, as JSON on standard output and input."""

    def say(self, message):
        print(json.dumps(message), flush=True)

    def ask(self, message):
        self.say(message)
        answer = json.loads(sys.stdin.readline())
        if "down" in answer:
            raise OSError(answer["down"])
        return answer

    def exchange(self, request, at):
        return self.ask({"at": at, "request": request})

    def visit(self, url, at):
        response = self.exchange({"method": "GET", "url": url}, at)
        return next(value for name, value, *_ in response["header"] if name.lower() == "location")


class Clock:
    """A clock that goes on a second each time it is looked at: the run is the
    same each time."""

    def __init__(self):
        self.time = datetime.datetime(2026, 7, 28, 12, tzinfo=datetime.timezone.utc)

    def now(self):
        self.time += datetime.timedelta(seconds=1)
        return self.time.strftime("%Y-%m-%dT%H:%M:%SZ")

    def wait(self, until):
        at = datetime.datetime.fromisoformat(until[:19] + "+00:00")
        self.time = max(self.time, at + datetime.timedelta(seconds=1))


def seed(n):
    """A test wants the same seed each time; every other program draws a fresh
    one with secrets.token_urlsafe(32)."""
    return hashlib.sha256(b"seed %d" % n).hexdigest()


class Written(Engine):
    """An engine whose lines are written down."""

    def __init__(self, command, first, transcript):
        self.transcript = transcript
        transcript.write("# another process\n")
        super().__init__(command, first)

    def tell(self, message):
        self.raw(json.dumps(message, separators=(",", ":")))
        answer = json.loads(self.answer)
        if "error" in answer:
            raise Mistake(answer["error"]["kind"] + ": " + answer["error"]["message"])
        return answer

    def raw(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self.answer = self.process.stdout.readline()
        self.transcript.write("> " + line + "\n< " + self.answer)

    def end(self):
        self.process.stdin.close()
        code = self.process.wait(30)
        assert code == 0, "stile engine ended with " + str(code)


def call(host, server):
    """One request to the MCP server, with the token if there is one."""
    header = [["Content-Type", "application/json"]]
    if host.grant:
        header.append(["Authorization", "Bearer " + host.grant["access_token"]])
    response = host.bus.exchange(
        {"method": "POST", "url": server, "header": header,
         "body": json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})}, at=host.now())
    if response["status"] in (401, 403):
        refused = {"status": response["status"], "header": response["header"]}
        generation = host.grant["generation"] if host.grant else 0
        return response["status"], host.do("Challenged", generation=generation, response=refused)
    return response["status"], host.do("Accepted", generation=host.grant["generation"])


def life(command, transcript):
    server = "https://mcp.example/mcp"
    bus, store, clock = Bus(), Store(), Clock()
    first = {"config": {"server": server, "redirects": ["http://127.0.0.1:4711/callback"],
                        "client_name": "Python", "holder": "life.py", "http_time": "20s"}}
    host = Host(Written(command, first, transcript), bus, store, clock.now)

    assert host.do("Begun", seed=seed(1)) == "Anonymous"
    status, state = call(host, server)
    assert (status, state) == (401, "Authorized"), (status, state, host.fault)
    old = host.grant["access_token"]
    assert call(host, server) == (200, "Authorized")

    # A bad line has one answer, and changes nothing.
    kept = host.engine.tell({"command": "snapshot"})["snapshot"]
    for line in ("", "{", '{"input":{"Saved":{"serial":99}}}', '{"input":{"Begun":{"seed":"short"}}}',
                 '{"input":{"Ticked":{}},"time":"noon"}', '{"input":{"Ticked":{"Serial":1}}}',
                 '{"config":{"server":"https://other.example"}}', '{"command":"reset"}'):
        host.engine.raw(line)
        assert "error" in json.loads(host.engine.answer), host.engine.answer
    assert kept == host.engine.tell({"command": "snapshot"})["snapshot"]

    # Another process goes on where this one stopped.
    host.engine.end()
    host.engine = Written(command, {"snapshot": kept}, transcript)
    pending = host.engine.tell({"command": "pending"})["effects"]
    assert {"Grant": dict(host.grant, accepted=True)} in pending, pending

    clock.wait(host.grant["renew"])
    assert host.do("Ticked") == "Authorized", host.fault
    new = host.grant["access_token"]
    assert new != old and not host.fault
    assert call(host, server) == (200, "Authorized")

    state = host.do("LoggedOut", seed=seed(2))
    assert not any('"credential"' in name for name in store.entries), store.entries
    host.engine.end()
    bus.say({"done": {"state": state, "tokens": [old, new], "kept": sorted(json.loads(k)["kind"] for k in store.entries)}})


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8", newline="\n") as out:
        life(sys.argv[2:], out)
