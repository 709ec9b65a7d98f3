"""The likely cause of a failed TLS connection: drivers repeat OpenSSL's errors or hide them."""

#: Text in an error → likely cause, for the first text that is found. {0} is the start of the
#: settings' names.
_CAUSES = {
    "CERTIFICATE_VERIFY_FAILED": "the server's certificate is not trusted: look at its dates, the "
    "host in {0}_URL and {0}_CA_FILE",
    # With TLS 1.3 a server refuses a client's certificate after the handshake. pika then reports
    # another protocol.
    "ALERT_CERTIFICATE_REQUIRED": "the server demands a client certificate: "
    "look at {0}_CERT_FILE and {0}_KEY_FILE",
    "ALERT_HANDSHAKE_FAILURE": "the server demands a client certificate, or other ciphers: "
    "look at {0}_CERT_FILE and {0}_KEY_FILE",
    "ALERT_PROTOCOL_VERSION": "the server does not support TLS 1.2 or later",
    "_ALERT_": "the server does not trust the client certificate: "
    "look at dates and issuer of {0}_CERT_FILE",
    # A server that refuses a certificate closes so early that its alert is often lost.
    "EOF occurred in violation of protocol": "the server closed the connection; "
    "if it always does, it demands a client certificate: look at {0}_CERT_FILE",
    "WRONG_VERSION_NUMBER": "the server speaks no TLS on this port: look at the port in {0}_URL",
    "IncompatibleProtocolError": "the server speaks no AMQP on this port: "
    "for a TLS port, {0}_URL must begin with amqps://",
}


def with_likely_cause(error: BaseException | str, setting: str) -> str:
    """The type and text of an error in one line, with the likely cause if TLS may have failed.

    ``setting`` is the start of the settings' names: ``MASKGATE_BROKER`` or ``MASKGATE_REDIS``.
    """
    text = f"{type(error).__name__}: {error}"
    cause = next((cause for sign, cause in _CAUSES.items() if sign in text), None)
    return f"{text}; {cause.format(setting)}" if cause else text
