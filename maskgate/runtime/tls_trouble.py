"""What to look at when a connection fails over TLS: the drivers repeat what OpenSSL says, or call it something else."""

#: The first text found in an error tells what to look at; {0} is what the names of the settings begin with.
_LOOK_AT = {
    "CERTIFICATE_VERIFY_FAILED": "the server's certificate is not trusted: look at its dates, at the host in {0}_URL and at {0}_CA_FILE",
    # With TLS 1.3 a server refuses a client's certificate after the handshake; pika takes that for another protocol.
    "ALERT_CERTIFICATE_REQUIRED": "the server demands a client certificate: look at {0}_CERT_FILE and {0}_KEY_FILE",
    "ALERT_HANDSHAKE_FAILURE": "the server demands a client certificate, or other ciphers: look at {0}_CERT_FILE and {0}_KEY_FILE",
    "ALERT_PROTOCOL_VERSION": "the server knows no TLS as new as 1.2",
    "_ALERT_": "the server does not trust our certificate: look at its dates and issuer in {0}_CERT_FILE",
    # A server that refuses a certificate hangs up so early that its alert is often lost.
    "EOF occurred in violation of protocol": "the server hung up; if every time, it demands a client certificate: look at {0}_CERT_FILE",
    "WRONG_VERSION_NUMBER": "what answers there speaks no TLS: look at the port in {0}_URL",
    "IncompatibleProtocolError": "what is there speaks no AMQP to us: for a TLS port {0}_URL must begin with amqps://",
}


def told(error: BaseException | str, setting: str) -> str:
    """An error's type and text in one line and, where TLS may be to blame, what to look at.

    ``setting`` is what the names of the settings begin with: ``MASKGATE_BROKER`` or ``MASKGATE_REDIS``.
    """
    text = f"{type(error).__name__}: {error}"
    hint = next((hint for sign, hint in _LOOK_AT.items() if sign in text), None)
    return f"{text}; {hint.format(setting)}" if hint else text
