"""Lets moto deliver a message to an HTTP endpoint of ours, as its SNS does, and prints what it sent, the Content-Type, and the
certificate that it serves. Run by the Python of build/python, which has moto (script/packages test).

    moto_signer.py REGION TOPIC_NAME <message
"""

import http.server
import json
import sys
import threading

import boto3
import requests
from moto import mock_aws

got = []


class Endpoint(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_POST(self):
        got.append((self.headers["Content-Type"], self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    region, topic_name = sys.argv[1:]
    endpoint = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    with mock_aws():
        sns = boto3.client("sns", region_name=region, aws_access_key_id="x", aws_secret_access_key="x")
        topic = sns.create_topic(Name=topic_name)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=f"http://127.0.0.1:{endpoint.server_address[1]}")
        sns.publish(TopicArn=topic, Message=sys.stdin.read())
        content_type, body = got[0]
        certificate = requests.get(json.loads(body)["SigningCertURL"], timeout=10).text
    json.dump({"contentType": content_type, "body": body, "certificate": certificate}, sys.stdout)


main()
