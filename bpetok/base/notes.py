"""What a user may want to know, and the logger "bpetok" tells at the level INFO."""


def note(message: str, *values: object, **extra: object) -> None:
    """Tell it; `extra` are attributes of the record."""
    import logging  # takes 4 ms, and most trainings have nothing to tell

    logging.getLogger("bpetok").info(message, *values, extra=extra, stacklevel=2)
