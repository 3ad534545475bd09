"""The room of inverse problems."""

from cinn_app.studio.room import Room
from cinn_app.systems.inverse_problems.inverse_problem import ProblemRecord
from cinn_app.systems.inverse_problems.studio.endpoints import InverseApi
from cinn_app.systems.inverse_problems.studio.tab import InverseTab

__all__ = ["ROOM"]

ROOM = Room(
    title=InverseTab.title,
    tab=InverseTab,
    api=InverseApi,
    header_attributes={"record": ProblemRecord.read},
    ahead=False,
)
