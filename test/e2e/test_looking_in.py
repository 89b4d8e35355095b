"""Health, metrics, and the documents that describe the API."""

import json

import pytest

from harness.people import OTHER_PASSWORD, PASSWORD, signed_up_user
from harness.server import eventually, run


def test_health_names_the_state_of_each_dependency(shared_server):
    reply = shared_server.api().get("/health")

    assert reply.status == 200, reply
    assert reply.json["status"] == "ok"
    assert {"database", "cache", "mail"} <= set(reply.json["dependencies"])
    database = reply.json["dependencies"]["database"]
    assert database["status"] == "ok"
    assert database["latencyMs"] >= 0


def test_live_and_ready_stand_apart(shared_server):
    assert shared_server.api().get("/health/live").status == 200
    assert shared_server.api().get("/health/ready").status == 200


def test_health_tells_strangers_nothing_else(shared_server):
    text = shared_server.api().get("/health").text

    assert str(shared_server.folder) not in text
    assert "sqlite" not in text.lower()
    assert "postgres" not in text.lower()


METRICS = {
    "safawinet_password_verifications_total",
    "safawinet_password_hashes_running",
    "safawinet_password_hashes_waiting",
    "safawinet_admission_refusals_total",
    "safawinet_revocation_lag_seconds",
    "safawinet_revocation_lease_seconds",
    "safawinet_database_errors_total",
    "safawinet_cache_errors_total",
}


def test_metrics_are_on_the_operations_address_alone(shared_server):
    reply = shared_server.operations.get("/metrics")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain")
    described = {line.split()[2] for line in reply.text.splitlines() if line.startswith("# TYPE")}

    assert METRICS <= described
    assert shared_server.api().get("/metrics").status == 404
    assert shared_server.operations.get("/v1/users/me").status == 404


def test_password_verifications_are_counted_by_result(shared_server):
    def counted() -> tuple[float, float]:
        name = "safawinet_password_verifications_total"
        everything = shared_server.metric(name)
        return everything, everything - shared_server.metric(name, result="ok")

    person = signed_up_user(shared_server)
    before = counted()
    shared_server.api().login(person.email, PASSWORD)
    shared_server.api().login(person.email, OTHER_PASSWORD)

    eventually(lambda: counted()[0] == before[0] + 2, "two verifications were counted")


def test_the_lease_is_in_the_metrics(shared_server):
    assert 0 < shared_server.metric("safawinet_revocation_lease_seconds") <= 2
    assert shared_server.metric("safawinet_revocation_lag_seconds") < 2


@pytest.fixture(scope="module")
def routes(tmp_path_factory) -> list[dict]:
    done = run("routes", "--json", folder=tmp_path_factory.mktemp("routes"))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_routes_are_those_that_the_contract_names(routes):
    named = {(route["method"], route["path"]) for route in routes}
    assert all(set(route) == {"method", "path", "access", "rateClass", "stepUp"} for route in routes)
    assert {
        ("POST", "/v1/auth/register"),
        ("POST", "/v1/auth/verify-email"),
        ("POST", "/v1/auth/resend-verification"),
        ("POST", "/v1/auth/forgot-password"),
        ("POST", "/v1/auth/reset-password"),
        ("POST", "/v1/auth/login"),
        ("POST", "/v1/auth/refresh"),
        ("POST", "/v1/auth/logout"),
        ("POST", "/v1/auth/force-logout"),
        ("POST", "/v1/auth/force-logout-all"),
        ("GET", "/v1/users/me"),
        ("PATCH", "/v1/users/me"),
        ("DELETE", "/v1/users/me"),
        ("POST", "/v1/users/me/change-password"),
        ("POST", "/v1/users/me/change-email"),
        ("GET", "/v1/sessions"),
        ("DELETE", "/v1/sessions/{id}"),
        ("POST", "/v1/sessions/end-others"),
        ("GET", "/v1/admin/users"),
        ("GET", "/v1/admin/users/{id}"),
        ("GET", "/v1/admin/users/{id}/sessions"),
        ("GET", "/.well-known/jwks.json"),
        ("GET", "/.well-known/oauth-authorization-server"),
        ("GET", "/health"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
    } <= named


def test_the_openapi_document_describes_every_route_of_the_table(shared_server, routes):
    document = shared_server.api().get("/openapi.json").json
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}

    assert document["openapi"].startswith("3.1")
    assert {(route["method"], route["path"]) for route in routes if route["path"] != "/metrics"} == described


def test_every_reference_in_the_openapi_document_leads_somewhere(shared_server):
    document = shared_server.api().get("/openapi.json").json

    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    for reference in references(document):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_the_page_shows_every_route_and_needs_nothing_from_elsewhere(shared_server, routes):
    page = shared_server.api().get("/docs")

    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script" not in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    for route in routes:
        assert route["path"] in page.text


def test_the_version_is_told_on_stdout(tmp_path):
    done = run("version", folder=tmp_path)

    assert done.returncode == 0
    assert any(character.isdigit() for character in done.stdout)
    assert done.stderr == ""
