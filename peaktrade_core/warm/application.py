"""The application of every kernel of ours, which ends its threads in order; run as a program it is a kernel by itself."""

from __future__ import annotations

from ipykernel.kernelapp import IPKernelApp


class OrderlyKernelApp(IPKernelApp):
    """ipykernel's application, except that the control thread ends before anything that it still needs."""

    def start(self) -> None:
        """Serve until the kernel is asked to end; then end the control thread before anything else ends.

        It still answers. With an output thread that has ended before it, it would wait ten seconds, or put ipykernel's
        own error on the terminal of whoever runs the notebook.
        """
        super().start()  # type: ignore[no-untyped-call]
        if self.control_thread and self.control_thread.is_alive():
            self.control_thread.stop()
            self.control_thread.join()


if __name__ == "__main__":
    OrderlyKernelApp.launch_instance()
