-- Each service has a database and a login of its own. The ledger's login does not own its log:
-- `python -m services.ledger keep-log` makes it as the administrator, and lets `ledger` append.
\getenv password DUEBOOK_POSTGRES_PASSWORD
CREATE ROLE origination LOGIN PASSWORD :'password';
CREATE ROLE ledger LOGIN PASSWORD :'password';
CREATE ROLE risk LOGIN PASSWORD :'password';
CREATE ROLE collections LOGIN PASSWORD :'password';
CREATE DATABASE origination OWNER origination;
CREATE DATABASE ledger;
CREATE DATABASE risk OWNER risk;
CREATE DATABASE collections OWNER collections;
REVOKE CONNECT ON DATABASE origination, ledger, risk, collections FROM PUBLIC;
GRANT CONNECT ON DATABASE ledger TO ledger;
