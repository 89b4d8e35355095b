"""Every route x caller x target against a real server: access_matrix.csv says how each combination ends.

A line of the matrix is a route and a target: the caller itself, somebody of the same rank, of the next higher or lower
one, somebody who is missing; `none` where a request concerns nobody in particular. A cell is a status, with 2xx for all
successes, or `-` where there is no such combination. Requests are whole and right, so that whoever is let in succeeds;
only the token of a mail is made up (422).
"""

import csv
import json
import pathlib
import uuid

import pytest

from harness.people import OTHER_PASSWORD, PASSWORD, Person, log_in, new_address, with_role
from harness.server import EXEMPT, Server, run

MATRIX = pathlib.Path(__file__).with_name("access_matrix.csv")
ROLES = ["customer", "support", "admin", "superadmin"]
CALLERS = ["stranger", *ROLES, "key-without", "key-with"]
TARGETS = ["self", "peer", "higher", "lower", "missing"]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
EVERY_PERMISSION_OF_ADMINS = (
    "users:read users:assist users:write users:delete users:export users:import factors:reset roles:write sessions:read sessions:find "
    "sessions:end sessions:end-bulk sessions:end-all audit:read api-keys:read api-keys:write keys:read keys:rotate "
    "tokens:introspect revocations:read limits:read limits:write mode:read mode:write mail:read mail:write"
).split()
OF_SUPERADMINS = "audit:erase"

Route = tuple[str, str]


def read_matrix() -> list[dict]:
    with MATRIX.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines, strict=True))


LINES = read_matrix()
ROUTES = list(dict.fromkeys((line["method"], line["path"]) for line in LINES))


# --- who takes part


class Cast:
    """The people of the walk, made when they are needed and replaced when an act has changed them."""

    def __init__(self, server: Server):
        self.server = server
        self.first_superadmin = server.admin()
        self.people: dict[tuple[str, str], Person] = {}
        self.owned_keys: dict[str, str] = {}
        self.keys: dict[frozenset, str] = {}

    def person(self, part: str, role: str) -> Person:
        if (part, role) not in self.people:
            self.people[part, role] = with_role(self.server, role)
        return self.people[part, role]

    def retire(self, person: Person) -> None:
        self.people = {part: one for part, one in self.people.items() if one is not person}

    def everybody_logs_in_again(self) -> None:
        for person in self.people.values():
            person.device = person.log_in()
        self.first_superadmin = self.server.admin()

    def owner_of_keys(self, permission: str) -> Person:
        return self.person("owner", "superadmin" if permission == OF_SUPERADMINS else "admin")

    def api_key(self, permission: str, is_given: bool) -> str:
        """A key with this permission alone, or with every other one."""
        if permission in ("public", "user"):
            permission = "users:read"  # any key
        owner = self.owner_of_keys(permission)
        others = [one for one in EVERY_PERMISSION_OF_ADMINS if one != permission]
        permissions = frozenset([permission] if is_given else others)
        if permissions not in self.keys:
            self.keys[permissions] = make_key(owner, sorted(permissions))["key"]
        return self.keys[permissions]

    def key_owned_by(self, person: Person) -> str:
        """The id of a key of this person, made while they were an administrator if they are none now."""
        if person.id not in self.owned_keys:
            role = person.api.me().json["role"]
            if ROLES.index(role) < ROLES.index("admin"):
                self.server.sql("UPDATE users SET role = 'admin' WHERE id = ?", person.id)
                person.device = person.log_in()
            self.owned_keys[person.id] = make_key(person, ["users:read"])["apiKey"]["id"]
            self.server.sql("UPDATE users SET role = ? WHERE id = ?", role, person.id)
            person.device = person.log_in()
        return self.owned_keys[person.id]


def make_key(owner: Person, permissions: list[str]) -> dict:
    reply = owner.api.post("/v1/admin/api-keys", {"name": "matrix", "permissions": permissions})
    if reply.status == 401:  # signed out since
        owner.device = owner.log_in()
        reply = owner.api.post("/v1/admin/api-keys", {"name": "matrix", "permissions": permissions})
    assert reply.status == 201, reply
    return reply.json


def target_of(cast: Cast, target: str, caller: Person | None, role: str) -> Person | None:
    rank = ROLES.index(role)
    if target == "self":
        return caller
    if target == "missing":
        return None
    return cast.person("target", ROLES[rank + {"peer": 0, "higher": 1, "lower": -1}[target]])


def is_possible(line: dict, caller: str) -> bool:
    """Nobody is below a customer or above a superadmin, and a stranger is nobody."""
    nobody_there = {"customer": "lower", "superadmin": "higher"}
    return line["target"] != ("self" if caller == "stranger" else nobody_there.get(role_of(line, caller)))


def role_of(line: dict, caller: str) -> str:
    """Whose peers count: those of a key are those of its owner, and those of a stranger, who has none, are support."""
    if caller == "stranger":
        return "support"
    if caller.startswith("key-"):
        return "superadmin" if line["permission"] == OF_SUPERADMINS else "admin"
    return caller


# --- what they send

# Bodies; `who` is the target, or the caller where nobody is named.
BODIES = {
    ("POST", "/v1/auth/register"): lambda cast, who: {"email": new_address("matrix"), "password": PASSWORD},
    ("POST", "/v1/auth/verify-email"): lambda cast, who: {"token": "x"},
    ("POST", "/v1/auth/resend-verification"): lambda cast, who: {"email": new_address("matrix")},
    ("POST", "/v1/auth/forgot-password"): lambda cast, who: {"email": new_address("matrix")},
    ("POST", "/v1/auth/reset-password"): lambda cast, who: {"token": "x", "newPassword": OTHER_PASSWORD},
    ("PATCH", "/v1/users/me"): lambda cast, who: {"name": "Matrix"},
    ("DELETE", "/v1/users/me"): lambda cast, who: {"password": PASSWORD},
    ("POST", "/v1/users/me/change-password"): lambda cast, who: {
        "currentPassword": PASSWORD,
        "newPassword": OTHER_PASSWORD,
    },
    ("POST", "/v1/users/me/change-email"): lambda cast, who: {"password": PASSWORD, "newEmail": new_address("moved")},
    ("POST", "/v1/users/me/factors/totp"): lambda cast, who: {"password": PASSWORD},
    ("POST", "/v1/users/me/factors/totp/confirm"): lambda cast, who: {"code": "000000"},
    ("DELETE", "/v1/users/me/factors/totp"): lambda cast, who: {"password": PASSWORD, "code": "000000"},
    ("POST", "/v1/users/me/factors/backup-codes"): lambda cast, who: {"password": PASSWORD, "code": "000000"},
    ("POST", "/v1/auth/login/second-factor"): lambda cast, who: {"ticket": "x", "code": "000000"},
    ("POST", "/v1/auth/step-up"): lambda cast, who: {"password": PASSWORD},
    ("POST", "/v1/auth/login"): lambda cast, who: {
        "email": cast.person("target", "customer").email,
        "password": PASSWORD,
    },
    ("POST", "/v1/auth/refresh"): lambda cast, who: {"refreshToken": fresh_refresh_token(cast)},
    ("POST", "/v1/auth/logout"): lambda cast, who: {"refreshToken": fresh_refresh_token(cast)},
    ("POST", "/v1/auth/force-logout"): lambda cast, who: {"userId": id_of(who)},
    ("POST", "/v1/auth/force-logout-all"): lambda cast, who: {"reason": "matrix"},
    ("POST", "/v1/auth/force-logout-bulk"): lambda cast, who: {"criteria": {"userIds": [id_of(who)]}, "dryRun": True},
    ("POST", "/v1/admin/users"): lambda cast, who: {"email": new_address("created")},
    ("POST", "/v1/admin/users/{id}/disable"): lambda cast, who: {"reason": "matrix"},
    ("POST", "/v1/admin/users/{id}/enable"): lambda cast, who: {},
    ("POST", "/v1/admin/users/{id}/role"): lambda cast, who: {"role": "support"},
    ("POST", "/v1/admin/users/import"): lambda cast, who: {"users": [{"email": new_address("imported")}]},
    ("POST", "/v1/admin/invitations"): lambda cast, who: {"email": new_address("invited")},
    ("POST", "/v1/admin/sessions/find"): lambda cast, who: {"text": "192.0.2.1"},
    ("POST", "/v1/admin/api-keys"): lambda cast, who: {"name": "child", "permissions": ["api-keys:write"]},
    ("POST", "/v1/admin/under-attack"): lambda cast, who: {"state": "auto", "reason": "matrix"},
    ("POST", "/v1/auth/new-address"): lambda cast, who: {
        "email": cast.person("target", "customer").email,
        "password": PASSWORD,
        "newEmail": new_address("moved"),
    },
    ("POST", "/v1/email/bounces"): lambda cast, who: {
        "email": new_address("bounced"), "type": "permanent", "reason": "matrix"
    },
    ("POST", "/v1/email/suppressions"): lambda cast, who: {"email": new_address("suppressed"), "reason": "matrix"},
    ("POST", "/v1/email/outbox/{id}/retry"): lambda cast, who: {},
    ("POST", "/v1/email/test"): lambda cast, who: {"email": new_address("tested")},
    ("POST", "/v1/admin/mode"): lambda cast, who: {"mode": "normal"},
    ("POST", "/v1/audit/verify"): lambda cast, who: {},
    ("POST", "/v1/audit/erase"): lambda cast, who: {"userId": id_of(who), "reason": "matrix"},
}
FORMS = {
    ("POST", "/v1/auth/introspect"): b"token=x",
    ("POST", "/verify-email"): b"token=x",
    ("POST", "/forgot-password"): b"email=nobody%40example.test",
    ("POST", "/reset-password"): b"token=x&newPassword=" + OTHER_PASSWORD.replace(" ", "+").encode(),
}
# What names somebody: by the user, or by something that is theirs.
NAMED_IN_THE_BODY = [
    ("POST", "/v1/auth/force-logout"),
    ("POST", "/v1/auth/force-logout-bulk"),
    ("POST", "/v1/audit/erase"),
]
NAMES_NOBODY = [
    "/v1/auth/force-logout-bulk/{id}",
    "/v1/admin/keys/{kid}",
    "/v1/admin/keys/{kid}/distrust",
    "/v1/email/outbox/{id}/retry",
    "/v1/email/outbox/{id}",
    "/v1/email/mails/{id}",
]
CHANGES_THE_CALLER = [("DELETE", "/v1/users/me"), ("POST", "/v1/users/me/change-password")]
CHANGES_NOBODY = [("POST", "/v1/auth/force-logout-bulk"), ("POST", "/v1/audit/erase")]
SIGNS_EVERYBODY_OUT = ("POST", "/v1/auth/force-logout-all")


def fresh_refresh_token(cast: Cast) -> str:
    return log_in(cast.server, cast.person("target", "customer").email, PASSWORD).refresh_token


def id_of(who: Person | None) -> str:
    return who.id if who else str(uuid.uuid4())


def path_to(cast: Cast, path: str, who: Person | None) -> str:
    if path in NAMES_NOBODY or "{" not in path:
        return path.replace("{id}", str(uuid.uuid4())).replace("{kid}", "unknown")
    if path.startswith("/v1/admin/users/"):
        path = path.replace("{id}", id_of(who))
    thing = str(uuid.uuid4())
    if who and path.startswith("/v1/admin/api-keys/"):
        thing = cast.key_owned_by(who)
    elif who and "ession" in path and path != f"/v1/admin/users/{who.id}/sessions":
        thing = who.log_in().session_id
    return path.replace("{id}", thing).replace("{sessionId}", thing)


def status_of(cast: Cast, line: dict, caller: str) -> int:
    route = (line["method"], line["path"])
    role = role_of(line, caller)
    if caller == "stranger":
        person = None
    elif caller.startswith("key-"):
        person = cast.owner_of_keys(line["permission"])
    else:
        person = cast.person("caller", role)
    who = person if line["target"] == "none" else target_of(cast, line["target"], person, role)

    path = path_to(cast, line["path"], who)
    options = {}
    if route in BODIES:
        options["json_body"] = BODIES[route](cast, who)
    elif route in FORMS:
        options = {"body": FORMS[route], "headers": FORM}
    if caller == "stranger":
        token = None
    elif caller.startswith("key-"):
        token = cast.api_key(line["permission"], caller == "key-with")
    else:
        token = person.device.access_token
    server = cast.server.operations if line["path"] == "/metrics" else cast.server.api()
    reply = server.with_token(token).request(line["method"], path, **options)

    if 200 <= reply.status < 300 and route == SIGNS_EVERYBODY_OUT:
        cast.everybody_logs_in_again()
    elif 200 <= reply.status < 300 and route not in CHANGES_NOBODY:
        if route in CHANGES_THE_CALLER and person:
            cast.retire(person)
        elif line["target"] not in ("none", "missing") and line["method"] != "GET" and not (
            who is person and caller.startswith("key-")
        ):
            cast.retire(who)
    return reply.status


# --- the matrix against the table of routes


@pytest.fixture(scope="module")
def routes(tmp_path_factory) -> list[dict]:
    done = run("routes", "--json", folder=tmp_path_factory.mktemp("routes"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_route_is_in_the_matrix_and_every_line_has_its_route(routes):
    assert sorted(ROUTES) == sorted((route["method"], route["path"]) for route in routes)


def test_a_route_that_names_somebody_has_a_line_for_every_target():
    for route in ROUTES:
        targets = [line["target"] for line in LINES if (line["method"], line["path"]) == route]
        names_somebody = route in NAMED_IN_THE_BODY or ("{" in route[1] and route[1] not in NAMES_NOBODY)
        assert targets == (TARGETS if names_somebody else ["none"]), route


def test_the_permission_of_a_line_is_that_of_the_document(cast):
    document = cast.server.api().get("/openapi.json").json["paths"]
    for line in LINES:
        if line["path"] not in document:
            continue
        security = document[line["path"]][line["method"].lower()].get("security", [])
        named = [name for way in security for name in way.get("apiKey", [])]
        expected = [] if line["permission"] in ("public", "user") else [line["permission"]]
        assert sorted(set(named)) == expected, line
        assert all("refreshCookie" in way or not way for way in security) == (line["permission"] == "public"), line


# --- the walk


@pytest.fixture(scope="module")
def cast(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("matrix") / "server", EXEMPT).start()
    yield Cast(server)
    server.close()


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_whoever_calls_it_for_whomever_gets_what_the_matrix_says(cast, route):
    wrong = []
    for line in LINES:
        if (line["method"], line["path"]) != route:
            continue
        for caller in CALLERS:
            if not is_possible(line, caller):
                assert line[caller] == "-", (line, caller)
                continue
            status = status_of(cast, line, caller)
            told = "2xx" if 200 <= status < 300 else str(status)
            if told != line[caller]:
                wrong.append(f"{line['target']} as {caller}: {told} and not {line[caller]}")
    assert wrong == []
