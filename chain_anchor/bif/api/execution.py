"""What is tried and thrown away: fees evaluated, contracts called (bif notes §1.4).

A body of /testTransaction can hold private keys, which the JavaScript SDK sends: they
are passed over and forgotten (§1.5, item 9).
"""

from typing import Final

from chain_anchor.bif import answers, system_contracts, trial
from chain_anchor.bif.account import Code
from chain_anchor.bif.addresses import is_address
from chain_anchor.bif.api.asking import Asked, Fields, invalid, listed
from chain_anchor.bif.chain_pb2 import Contract
from chain_anchor.bif.contracts.interface import EntryPoint
from chain_anchor.bif.errors import ErrorCode, RefusedError
from chain_anchor.bif.json_form import JsonObject
from chain_anchor.bif.transactions import content_of_json
from chain_anchor.bif.trial import Invocation

DEFAULT_SIGNATURES: Final = 1


async def call_contract(asked: Asked) -> JsonObject:
    """Call a contract, or code that is in none, and change nothing."""
    fields = Fields(asked.document)
    domain = fields.integer("domain_id", asked.domain)
    asked.chain.ledger.state(domain)
    invoked = _invocation(asked, fields, domain)
    return await asked.chain.run(
        lambda ledger: answers.called(trial.call(ledger, domain, invoked))
    )


async def test_transaction(asked: Asked) -> JsonObject:
    """Find what a transaction would cost."""
    items = listed(asked.document.get("items"), "items", 1)
    if not items or not isinstance(items[0], dict):
        raise invalid("'items' must have one element, an object")
    fields = Fields(items[0])
    signatures = fields.integer("signature_number", DEFAULT_SIGNATURES)
    content = content_of_json(fields.members.get("transaction_json"))
    if not content.domain_id:
        content.domain_id = _domain(asked.domain)
    asked.chain.ledger.state(content.domain_id)
    return await asked.chain.run(
        lambda ledger: answers.evaluated(trial.evaluate(ledger, content, signatures))
    )


def _invocation(asked: Asked, fields: Fields, domain: int) -> Invocation:
    address = fields.text("contract_address")
    if address:
        code = trial.contract_at(asked.chain.ledger, domain, address)
        if code is None:
            raise _no_contract(address)
    else:
        code = Code(Contract.JAVASCRIPT, fields.text("code"))
    if not code.payload:
        raise invalid("'contract_address' or 'code' must be given")
    default = trial.THROW_AWAY_BALANCE
    return Invocation(
        code=code,
        address=address,
        entry=_entry(fields),
        input=fields.text("input"),
        source=fields.text("source_address"),
        gas_price=fields.integer("gas_price", 0),
        fee_limit=fields.integer("fee_limit", 0),
        contract_balance=fields.integer("contract_balance", default),
    )


def _no_contract(address: str) -> RefusedError:
    text = f"Contract account({address:.80}) does not exist"
    system = system_contracts.missing(address) if is_address(address) else ""
    return RefusedError(ErrorCode.NOT_EXIST, system or text)


def _entry(fields: Fields) -> EntryPoint:
    number = fields.integer("opt_type", EntryPoint.QUERY)
    try:
        return EntryPoint(number)
    except ValueError:
        raise invalid(f"'opt_type'({number}) must be 0, 1 or 2") from None


def _domain(number: int) -> int:
    """Fit a domain into its field; whether there is one is asked of the ledger."""
    if not -(2**31) <= number < 2**31:
        raise RefusedError(
            ErrorCode.DOMAIN_NOT_EXIST, f"Domain({number}) does not exist"
        )
    return number
