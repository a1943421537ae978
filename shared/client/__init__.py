"""
The Python client of Duebook: typed, retrying, one effect per request.

    from lending.ledger.v1.ledger_service_client import LedgerClient
    from lending.ledger.v1.ledger_service_pb2 import GetLoanRequest
    from lending.refusals import LoanNotFound

    async with LedgerClient("127.0.0.1:7102") as ledger:
        loan = await ledger.get_loan(GetLoanRequest(loan_id="L-000042"))

`LedgerBlockingClient` is the same without asyncio. Client modules are generated from the protos.
"""
