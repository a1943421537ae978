"""Every way in which the ledger says no; the class is the fact in the way."""

from __future__ import annotations

from shared.kernel.errors import Conflict, InvalidArgument, NotFound, Refused


class LoanNotFound(NotFound):
    """No loan has this id."""


class LoanAlreadyOpen(Refused):
    """A loan with this id exists."""


class LoanAlreadyDisbursed(Refused):
    """The loan has been paid out."""


class LoanNotActive(Refused):
    """The loan is not being repaid: it is opened, charged off or settled."""


class LoanNotChargedOff(Refused):
    """Recoveries are for loans that were charged off."""


class LoanIsChargedOff(Refused):
    """Money that comes from the date of a charge-off on is a recovery."""


class LoanIsSettled(Refused):
    """Nothing is owed on this loan any more."""


class TermsInvalid(InvalidArgument):
    """The contract's terms contradict themselves or leave the allowed range."""


class AmountNotPrincipal(InvalidArgument):
    """A disbursal pays out the whole principal of the contract."""


class RepaymentNotPositive(InvalidArgument):
    """A repayment is above zero."""


class ChargeNotPositive(InvalidArgument):
    """A charge is above zero."""


class DisbursementAbovePrincipal(InvalidArgument):
    """More would be paid out than the contract's principal."""


class LoanIsAccelerated(Refused):
    """Everything was declared due before: there is nothing to accelerate, or to lend more on."""


class LoanNotAccelerated(Refused):
    """No acceleration is in force: none was declared, or a new plan replaced it."""


class NotInArrears(Refused):
    """The loan is not in arrears beyond its days of grace: the ground does not hold."""


class NothingToAccelerate(Refused):
    """No principal falls due later than that date."""


class PriceBelowZero(InvalidArgument):
    """A loan is sold for zero or more."""


class LoanIsTransferred(Refused):
    """The loan was sold before."""


class ChargeNotFound(NotFound):
    """The loan has no charge with this id, or nothing of it is unpaid."""


class CreditBelowRefund(Refused):
    """The credit balance is lower than the refund."""


class PauseInvalid(InvalidArgument):
    """A pause ends on or after its first day, and does not overlap another."""


class PauseNotRunning(Refused):
    """No pause is running on that date."""


class PolicyIsTheSame(Refused):
    """The loan is classified under that very policy already."""


class CurrencyDiffers(InvalidArgument):
    """The amount is not in the loan's currency."""


class RepaymentAbovePayoff(Refused):
    """More than would settle the loan on that date."""


class RepaymentNotFound(NotFound):
    """The loan has no repayment with this id."""


class RepaymentAlreadyReversed(Refused):
    """The repayment was taken back before."""


class ValueDateInFuture(InvalidArgument):
    """Money counts from the business date at the latest."""


class DateOutOfOrder(InvalidArgument):
    """The date lies before one that it must follow."""


class BusinessDateNotSet(Refused):
    """The ledger has no business date yet: advance it first."""


class RequestIdReused(Refused):
    """The request id was used with another body."""


class LoanChangedMeanwhile(Conflict):
    """Another writer changed the loan: the same request may be sent again."""


class CeilingUnknown(InvalidArgument):
    """No cost ceiling has this name and version, or its reference rate is not known."""


class CostCeilingExceeded(Refused):
    """With it the loan would cost more than its ceiling allows."""


class AmountNotDisbursed(InvalidArgument):
    """The bank sends back exactly what was paid out."""


class MoneyWasPosted(Refused):
    """Somebody paid on the loan: take that back first, then the payout can be returned."""


class PayoutWasReturned(Refused):
    """The bank sent the payout back: the loan is cancelled, and nothing can be posted to it."""


class RecoveriesPosted(Refused):
    """The charge-off cannot be undone: money was recovered after it."""


class ClaimAbovePayoff(Refused):
    """A guarantor pays at most what the borrower owes and no guarantor has paid yet."""


class FigureUnknown(InvalidArgument):
    """The figure is not one that can be explained."""


class SuppositionInvalid(InvalidArgument):
    """What is supposed names an event that is not there, or that cannot be otherwise."""


class SchemeNotInPolicy(InvalidArgument):
    """The loan's delinquency policy has no scheme of that name whose edges could be otherwise."""
