"""The pages behind the links in mails: a person clicks, and needs nothing but a browser without scripts."""

import html.parser
import urllib.parse

from harness.client import Reply
from harness.mail import RESET, VERIFY
from harness.people import OTHER_PASSWORD, PASSWORD, log_in, registered
from harness.server import PUBLIC_URL


class Form(html.parser.HTMLParser):
    """The one form of a page: where it goes, its fields with what they hold."""

    def __init__(self, page: Reply):
        super().__init__()
        self.action, self.method, self.fields = None, None, {}
        assert page.headers["Content-Type"].startswith("text/html"), page
        self.feed(page.text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form":
            assert self.action is None, "more than one form"
            self.action, self.method = attributes["action"], attributes["method"]
        if tag == "input":
            self.fields[attributes["name"]] = attributes.get("value", "")

    def send(self, api, **filled_in) -> Reply:
        assert self.method.lower() == "post"
        body = urllib.parse.urlencode(self.fields | filled_in).encode()
        return api.post(self.action, body=body, headers={"Content-Type": "application/x-www-form-urlencoded"})


def open_link(server, link: str) -> Reply:
    assert link.startswith(PUBLIC_URL + "/")
    return server.api().get(link.removeprefix(PUBLIC_URL))


def test_a_click_and_a_button_prove_the_address(shared_server):
    address = registered(shared_server)
    page = open_link(shared_server, shared_server.mail.wait_for(address, VERIFY).link(VERIFY))
    done = Form(page).send(shared_server.api())

    assert done.status == 200, done
    assert log_in(shared_server, address, PASSWORD).is_signed_in()


def test_a_used_link_says_so_and_changes_nothing(shared_server):
    address = registered(shared_server)
    form = Form(open_link(shared_server, shared_server.mail.wait_for(address, VERIFY).link(VERIFY)))
    form.send(shared_server.api())
    again = form.send(shared_server.api())

    assert 400 <= again.status < 500, again
    assert again.headers["Content-Type"].startswith("text/html")


def test_a_forgotten_password_is_asked_for_and_chosen_on_pages(person):
    api = person.server.api()
    asked = Form(api.get("/forgot-password")).send(api, email=person.email)
    assert asked.status == 200, asked
    form = Form(open_link(person.server, person.server.mail.wait_for(person.email, RESET).link(RESET)))

    refused = form.send(api, newPassword="too short")
    assert refused.status == 422, refused
    assert "too short" not in refused.text
    assert person.device.is_signed_in()
    done = Form(refused).send(api, newPassword=OTHER_PASSWORD)
    assert done.status == 200, done
    assert log_in(person.server, person.email, OTHER_PASSWORD).is_signed_in()
    assert not person.device.is_signed_in()


def test_a_page_does_not_say_whether_an_address_is_known(person):
    api = person.server.api()
    replies = [Form(api.get("/forgot-password")).send(api, email=one) for one in (person.email, "none@example.test")]

    assert replies[0].status == replies[1].status == 200
    assert replies[0].body == replies[1].body


def test_pages_may_not_be_framed_nor_run_scripts_nor_be_stored(shared_server):
    for path in ("/verify-email?token=x", "/reset-password?token=x", "/forgot-password"):
        headers = shared_server.api().get(path).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_a_form_takes_what_forms_send_and_nothing_else(shared_server):
    address = registered(shared_server)
    token = shared_server.mail.wait_for(address, VERIFY).token
    for content_type in ("application/json", "text/plain", "multipart/form-data"):
        reply = shared_server.api().post(
            "/verify-email", body=f"token={token}".encode(), headers={"Content-Type": content_type}
        )
        assert reply.status == 415, reply
    assert shared_server.api().login(address, PASSWORD).status == 403
