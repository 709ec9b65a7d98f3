"""onnxruntime as a worker runs it: one thread, bounded memory."""

import onnxruntime as ort

from maskgate.protocol.errors import ModelError

_LOG_ERRORS = 3


def open_session(content: bytes) -> ort.InferenceSession:
    """A session on one CPU thread for the bytes of an ONNX file.

    Raises:
        ModelError: onnxruntime refuses the file.
    """
    options = ort.SessionOptions()
    # One worker uses one core. By default the pool has the size of the host and spins.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena keeps what its largest run took: one chunk of crops. Without an arena, fragmentation
    # costs more.
    options.enable_cpu_mem_arena = True
    options.log_severity_level = _LOG_ERRORS
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  (onnxruntime's errors share no public base class)
        msg = f"onnxruntime refuses the file: {str(error).splitlines()[0][:200]}"
        raise ModelError(msg) from None
