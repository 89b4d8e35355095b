"""The runbook's SQL as it stands there, typed into psql, while three nodes run: its effects reach every one of them."""

import pytest

from harness.nodes import Nodes
from harness.people import PASSWORD, Person, signed_up_user
from harness.runbook import statement_with
from harness.server import ADMIN_EMAIL, EXEMPT, eventually

pytestmark = pytest.mark.postgres_only


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    nodes = Nodes(tmp_path_factory.mktemp("runbook-sql"), 3, EXEMPT)
    yield nodes.start()
    nodes.close()


@pytest.fixture
def people(nodes: Nodes) -> list[Person]:
    """One user at each node, whose token every node accepts."""
    people = [signed_up_user(node) for node in nodes]
    assert all(nodes.accept(person.device) for person in people)
    return people


def check_that_they_are_signed_out(nodes: Nodes, people: list[Person]) -> None:
    for person in people:
        nodes.eventually_refuse(person.device)
        assert nodes.refuse_to_refresh(person.device)


def check_that_they_are_signed_in(nodes: Nodes, people: list[Person]) -> None:
    for person in people:
        assert nodes.accept(person.device)
        person.device = person.device.refresh()
        assert nodes.accept(person.device)


EVERYBODY = [
    pytest.param(statement_with("refresh_sessions WHERE expires_at > NOW()"), id="1.2"),
    pytest.param(statement_with("DELETE FROM refresh_sessions;"), id="2.3"),
    pytest.param("TRUNCATE refresh_sessions;", id="truncate"),
    pytest.param("UPDATE refresh_sessions SET expires_at = '2020-01-01';", id="expiry in the past"),
    pytest.param("UPDATE session_epoch SET epoch = epoch + 1;", id="epoch"),
    pytest.param("SET session_replication_role = replica; DELETE FROM refresh_sessions;", id="as replication does"),
]


@pytest.mark.parametrize("statement", EVERYBODY)
def test_everybodys_access_tokens_die_on_every_node(nodes, people, statement):
    nodes.database.psql(statement)

    check_that_they_are_signed_out(nodes, people)
    for person in people:  # and the door is not shut
        person.device = person.log_in()
    check_that_they_are_signed_in(nodes, people)


@pytest.mark.parametrize("statement", EVERYBODY)
def test_what_is_rolled_back_has_no_effect(nodes, people, statement):
    nodes.database.psql(f"BEGIN; {statement} ROLLBACK;")
    nodes.database.psql(f"BEGIN; SAVEPOINT before; {statement} ROLLBACK TO before; COMMIT;")

    # What is committed after it has arrived everywhere, so that would have too.
    other = signed_up_user(nodes[0])
    nodes.sql("DELETE FROM refresh_sessions WHERE user_id = ?", other.id)
    nodes.eventually_refuse(other.device)
    check_that_they_are_signed_in(nodes, people)


def test_2_2_signs_the_dormant_out_and_nobody_else(nodes, people):
    dormant, *recent = people
    nodes.sql("UPDATE users SET last_login_at = '2023-05-05' WHERE id = ?", dormant.id)
    nodes.database.psql(statement_with("last_login_at"))

    check_that_they_are_signed_out(nodes, [dormant])
    check_that_they_are_signed_in(nodes, recent)


def test_3_2_marks_and_counts_bounces(nodes, people):
    bounced, soft, other = people
    nodes.database.psql(statement_with("email_status").replace("bounced_email@example.com", bounced.email))
    for _ in range(3):
        nodes.database.psql(statement_with("bounce_count + 1").replace("soft_bounce@example.com", soft.email.upper()))

    state = "SELECT email_status, bounce_count FROM users WHERE id = ?"
    assert nodes.sql(state, bounced.id) == [("bounced", 0)]
    assert nodes.sql(state, soft.id) == [("ok", 3)]
    assert nodes.sql(state, other.id) == [("ok", 0)]
    check_that_they_are_signed_in(nodes, people)


def test_3_3_signs_out_whom_it_disables(nodes, people):
    bouncing, *others = people
    for _ in range(5):
        nodes.database.psql(statement_with("bounce_count + 1").replace("soft_bounce@example.com", bouncing.email))
    nodes.database.psql(statement_with("is_active = false"))

    check_that_they_are_signed_out(nodes, [bouncing])
    check_that_they_are_signed_in(nodes, others)
    for node in nodes:
        assert node.api().login(bouncing.email, PASSWORD).status in (401, 403)

    nodes.database.psql(f"UPDATE users SET is_active = true, bounce_count = 0 WHERE id = '{bouncing.id}';")
    assert nodes.accept(bouncing.log_in())
    assert nodes.refuse(bouncing.device)


def test_users_who_are_deleted_are_signed_out_and_gone(nodes, people):
    gone, *others = people
    nodes.database.psql(f"DELETE FROM users WHERE email = '{gone.email}';")

    check_that_they_are_signed_out(nodes, [gone])
    check_that_they_are_signed_in(nodes, others)
    for node in nodes:
        assert node.api().login(gone.email, PASSWORD).status == 401


def test_a_role_that_is_taken_away_is_gone_from_live_tokens_on_every_node(nodes, people):
    person = people[0]
    nodes.database.psql(f"UPDATE users SET role = 'admin' WHERE id = '{person.id}';")
    nodes.eventually_refuse(person.device)
    person.device = person.device.refresh()
    for node in nodes:
        assert person.device.at(node).api.find_users(person.email).status == 200

    nodes.database.psql(f"UPDATE users SET role = 'customer' WHERE id = '{person.id}';")
    nodes.eventually_refuse(person.device)
    assert person.device.refresh().api.find_users(person.email).status == 403


def test_a_transaction_that_commits_late_is_not_missed(nodes, people):
    """Its row was numbered before others, and is committed after them."""
    late, early, other = people
    connection = nodes.database.connect()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM refresh_sessions WHERE user_id = %s", (late.id,))
        nodes.database.psql(f"DELETE FROM refresh_sessions WHERE user_id = '{early.id}';")
        check_that_they_are_signed_out(nodes, [early])
        assert nodes.accept(late.device)
        connection.commit()
    connection.close()

    check_that_they_are_signed_out(nodes, [late])
    check_that_they_are_signed_in(nodes, [other])


def test_beside_a_transaction_that_stays_open_revocations_arrive(nodes, people):
    connection = nodes.database.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()")
        for person in people:
            nodes.database.psql(f"DELETE FROM refresh_sessions WHERE user_id = '{person.id}';")
            check_that_they_are_signed_out(nodes, [person])
    connection.rollback()
    connection.close()


def test_what_ended_is_kept_as_evidence_with_the_role_that_did_it(nodes, people):
    person = people[0]
    session = person.device.session_id
    nodes.database.psql(statement_with("DELETE FROM refresh_sessions;"))

    evidence = "SELECT reason, actor FROM ended_sessions WHERE id = ?"
    assert nodes.sql(evidence, session) == [("sql", "database:postgres")]


def test_4_2_shows_what_runs_and_no_secret(nodes, people):
    printed = nodes.database.psql(statement_with("SELECT * FROM pg_stat_activity"))

    assert "application_name" in printed
    everything = nodes.database.psql("SELECT * FROM pg_stat_activity;")
    for secret in (PASSWORD, ADMIN_EMAIL, people[0].email, people[0].device.refresh_token):
        assert secret not in everything


def test_4_2_and_5_1_find_our_connections_by_name_and_within_the_budget(nodes):
    count = int(nodes.database.psql(statement_with("SELECT count(*)"), "--tuples-only"))
    ours = nodes.sql(
        "SELECT application_name, count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND usename = 'safawinet' GROUP BY application_name"
    )

    assert 0 < sum(number for _, number in ours) <= count
    assert all(name.startswith("safawinet") for name, _ in ours), ours


def test_5_1_kills_nothing_that_is_young(nodes, people):
    printed = nodes.database.psql(statement_with("pg_terminate_backend"))

    assert "(0 rows)" in printed
    check_that_they_are_signed_in(nodes, people)


def test_5_1_kills_what_runs_for_long_and_the_nodes_go_on(nodes, people):
    statement = statement_with("pg_terminate_backend").replace("5 minutes", "1 second")
    for _ in range(5):
        nodes.database.psql(statement.replace("state = 'active' AND", "pid <> pg_backend_pid() AND"))
        for node in nodes:
            eventually(lambda one=node: one.api().get("/health").json["status"] == "ok", "the node is well again")
    check_that_they_are_signed_in(nodes, people)
