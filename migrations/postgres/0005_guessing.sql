-- Guessing: wrong ones by account and network, the networks that users log in from, and being under attack.

-- The count of an account has a row, and so has that of each network that tries this account.
ALTER TABLE failed_attempts ADD COLUMN account text NOT NULL DEFAULT '';  -- of a network's count: the subject of the account's
CREATE INDEX failed_attempts_account ON failed_attempts (account) WHERE account <> '';

-- Which accounts (or tokens, or keys) were tried wrongly from a network: each once, with its last time. Keyed hashes.
CREATE TABLE network_failures (
  network text NOT NULL,
  subject text NOT NULL,
  failed_at timestamptz NOT NULL,
  PRIMARY KEY (network, subject)
);
CREATE INDEX network_failures_newest ON network_failures (network, failed_at);
CREATE INDEX network_failures_time ON network_failures (failed_at);

-- Where a user has logged in from.
CREATE TABLE known_origins (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  trait text NOT NULL,              -- keyed hash of user and client network
  first_seen timestamptz NOT NULL,
  last_seen timestamptz NOT NULL,
  PRIMARY KEY (user_id, trait)
);
CREATE INDEX known_origins_last_seen ON known_origins (last_seen);

-- One row: what an operator has ordered, and what the nodes have noticed.
CREATE TABLE under_attack (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  ordered text CHECK (ordered IN ('auto', 'on', 'off')),  -- none: as limits.under_attack says
  reason text NOT NULL DEFAULT '',
  ordered_by text NOT NULL DEFAULT '',  -- an actor, as in audit_log
  ordered_at timestamptz,
  expires_at timestamptz,           -- of the order; none: until the next one
  noticed_at timestamptz,           -- since when an attack is going on; none: no node has noticed one
  noticed_until timestamptz         -- moved on while it goes on
);
INSERT INTO under_attack DEFAULT VALUES;
