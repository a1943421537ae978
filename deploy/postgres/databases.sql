-- Each service has a database of its own.
CREATE DATABASE origination;
CREATE DATABASE ledger;
CREATE DATABASE risk;
CREATE DATABASE collections;
