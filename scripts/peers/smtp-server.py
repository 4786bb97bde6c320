"""A mail server on 127.0.0.1 for tests: aiosmtpd, with a line of JSON for what happens, and a line of JSON for what it shall do.

The first line it reads: {"port", "certificate", "key", "user", "password", "tls": "none" | "starttls" | "from-the-start"}.
Each later line: {"refusal": "451 4.3.0 try later" | null}, or {} for an answer that comes after all that has happened.
It ends when there are no more.
"""

import asyncio
import base64
import json
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult


def tell(**event):
    print(json.dumps(event), flush=True)


class Handler:
    """Takes every message unless `refusal` holds the answer to give instead. The user nobody does not exist."""

    refusal = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return f"550 5.1.1 <{address}>: there is no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refusal is not None:
            return self.refusal
        message = message_from_bytes(envelope.content, policy=policy.default)
        tell(
            event="message",
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            tls=session.ssl is not None,
            login=session.authenticated,
            headers=[[name, str(value)] for name, value in message.items()],
            body=message.get_content(),
            raw=base64.b64encode(envelope.content).decode(),
        )
        return "250 2.0.0 taken"


def smtp_arguments(given, context):
    arguments = {"hostname": "mail.test", "enable_SMTPUTF8": True}
    if given["tls"] == "starttls":
        arguments["tls_context"] = context
    if given.get("user"):

        def authenticate(server, session, envelope, mechanism, data):
            good = data.login.decode() == given["user"] and data.password.decode() == given["password"]
            tell(event="login", good=good, tls=session.ssl is not None)
            return AuthResult(success=good, handled=False)

        arguments.update(authenticator=authenticate, auth_required=True, auth_require_tls=given["tls"] == "starttls")
    return arguments


async def main():
    loop = asyncio.get_running_loop()
    read_line = lambda: loop.run_in_executor(None, sys.stdin.readline)
    given = json.loads(await read_line())
    context = None
    if given["tls"] != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(given["certificate"], given["key"])
    handler = Handler()
    arguments = smtp_arguments(given, context)
    from_the_start = context if given["tls"] == "from-the-start" else None
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, **arguments), "127.0.0.1", given["port"], ssl=from_the_start
    )
    tell(event="listening", port=server.sockets[0].getsockname()[1])
    while line := await read_line():
        handler.refusal = json.loads(line).get("refusal", handler.refusal)
        tell(event="ordered")


asyncio.run(main())
