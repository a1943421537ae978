-- The book again, from the stored events and the schedule alone, by somebody else's engine.
-- Reads events, balances, loans, instalments; says of each check how many rows and how many differ.
WITH postings AS (
    SELECT position, stream, e.state ->> '$.currency' AS accrual_currency,
        p.value ->> '$[0]' AS account, CAST(p.value ->> '$[1]' AS BIGINT) AS amount_minor
    FROM events e, json_each(e.state, '$.postings') p
),
opened AS (
    SELECT stream, state ->> '$.terms.currency' AS currency
    FROM events WHERE topic = 'lending.ledger.LoanOpened'
),
posted AS (
    SELECT p.*, coalesce(o.currency, p.accrual_currency) AS currency
    FROM postings p LEFT JOIN opened o USING (stream)
),
entries AS (
    SELECT position, sum(amount_minor) AS total FROM posted GROUP BY position, currency
),
by_account AS (
    SELECT account, currency, sum(amount_minor) AS balance_minor FROM posted GROUP BY ALL
),
by_loan AS (
    SELECT stream, sum(amount_minor) AS principal_minor
    FROM posted WHERE account = 'loans:principal' GROUP BY stream
),
unpaid AS (
    SELECT i.loan_id, i.due_on, l.on_date,
        principal_due_minor + interest_due_minor + charges_due_minor
        - principal_paid_minor - interest_paid_minor - charges_paid_minor AS unpaid_minor
    FROM instalments i JOIN loans l USING (loan_id)
),
late AS (
    SELECT loan_id, sum(unpaid_minor) AS arrears_minor,
        max(date_diff('day', due_on, on_date)) AS days_past_due
    FROM unpaid WHERE unpaid_minor > 0 AND due_on < on_date GROUP BY loan_id
)
SELECT 'entries sum to zero' AS name, count(*) AS compared,
    count(*) FILTER (total <> 0) AS different FROM entries
UNION ALL
SELECT 'balances of accounts', count(*),
    count(*) FILTER (a.balance_minor IS DISTINCT FROM b.balance_minor)
FROM by_account a FULL JOIN balances b USING (account, currency)
UNION ALL
SELECT 'principal of loans on the books', count(*),
    count(*) FILTER (
        coalesce(p.principal_minor, 0)
        <> CASE WHEN l.off_books THEN 0 ELSE l.principal_outstanding_minor END
    )
FROM loans l LEFT JOIN by_loan p ON p.stream = 'loan/' || l.loan_id
UNION ALL
SELECT 'arrears', count(*),
    count(*) FILTER (coalesce(d.arrears_minor, 0) <> l.arrears_minor)
FROM loans l LEFT JOIN late d USING (loan_id)
UNION ALL
SELECT 'days past due', count(*),
    count(*) FILTER (coalesce(d.days_past_due, 0) <> l.days_past_due)
FROM loans l LEFT JOIN late d USING (loan_id)
