"""Jinja2 looks for the code of a template where it is kept, before it compiles."""

import jinja2
from jinja2.bccache import Bucket

from lancert.box.homepage.kept import Kept, NotCompiled


class BesideTemplates(jinja2.BytecodeCache):
    """Reads and keeps code; without a compiler a template that is not compiled raises NotCompiled."""

    def __init__(self, kept: Kept, *, has_compiler: bool) -> None:
        self._kept = kept
        self._has_compiler = has_compiler
        self._source = ""

    def get_bucket(self, environment: jinja2.Environment, name: str, filename: str | None, source: str) -> Bucket:
        """Take what was kept of this source."""
        bucket = Bucket(environment, name, self.get_source_checksum(source))
        if (code := self._kept.read(name, source)) is not None:
            bucket.bytecode_from_string(code)
        if bucket.code is None and not self._has_compiler:
            raise NotCompiled(name)
        self._source = source
        return bucket

    def set_bucket(self, bucket: Bucket) -> None:
        """Keep what was compiled of the source that was asked for last."""
        self._kept.write(bucket.key, self._source, bucket.bytecode_to_string())
