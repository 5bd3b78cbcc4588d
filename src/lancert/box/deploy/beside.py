"""What an agent knows of the hand-over beside it: most boxes have none, and then nothing of it is loaded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lancert.box.deploy.outcome import HandedOver
from lancert.box.notices import Notice

if TYPE_CHECKING:
    from lancert.box.deploy.keeper import Keeper


@dataclass(slots=True)
class OtherPrograms:
    """The programs that are given the certificate, if the settings name any."""

    keeper: "Keeper | None" = None

    def handed_over(self) -> tuple[HandedOver, ...]:
        """Say how the last hand-over to each went."""
        return self.keeper.handed_over() if self.keeper else ()

    def notices(self) -> tuple[Notice, ...]:
        """Say what a person should know about them."""
        return self.keeper.notices() if self.keeper else ()

    def installed(self) -> None:
        """Note that there is a new certificate, which the box itself serves already."""
        if self.keeper is not None:
            self.keeper.installed()
