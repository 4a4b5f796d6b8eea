"""The gate: only what is ``Cleared`` may be published; the register of what was."""

from evidence.disclosure.differencing import check_differencing
from evidence.disclosure.estimates import SHOWN, WITHHELD, list_estimates
from evidence.disclosure.gate import Assessment, Cleared, assess, clear, fingerprint
from evidence.disclosure.key import check_value, make_key
from evidence.disclosure.releases import (
    FOLDER,
    Edition,
    Output,
    Register,
    add_edition,
    add_withdrawal,
    hash_file,
    hash_units,
    list_checks,
    list_outputs,
    read_register,
    read_registers,
    register_path,
)
from evidence.disclosure.replies import REPLIES, check_replies, drop_replies, write_replies
from evidence.disclosure.results import write_results
from evidence.disclosure.rules import Check, judge_cell
from evidence.disclosure.scan import scan_bytes, scan_folder, scan_words
from evidence.disclosure.signoff import (
    Reply,
    Signoff,
    SignoffFile,
    check_signoff,
    read_signoff,
    signoff_path,
)
from evidence.disclosure.states import Entry, add_entries, read_history, state_path, tell_state

__all__ = [
    "FOLDER",
    "REPLIES",
    "SHOWN",
    "WITHHELD",
    "Assessment",
    "Check",
    "Cleared",
    "Edition",
    "Entry",
    "Output",
    "Register",
    "Reply",
    "Signoff",
    "SignoffFile",
    "add_edition",
    "add_entries",
    "add_withdrawal",
    "assess",
    "check_differencing",
    "check_replies",
    "check_signoff",
    "check_value",
    "clear",
    "drop_replies",
    "fingerprint",
    "hash_file",
    "hash_units",
    "judge_cell",
    "list_checks",
    "list_estimates",
    "list_outputs",
    "make_key",
    "read_history",
    "read_register",
    "read_registers",
    "read_signoff",
    "register_path",
    "scan_bytes",
    "scan_folder",
    "scan_words",
    "signoff_path",
    "state_path",
    "tell_state",
    "write_replies",
    "write_results",
]
