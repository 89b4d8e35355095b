-- Guessing: wrong ones by account and network, the networks that users log in from, and being under attack.

-- The count of an account has a row, and so has that of each network that tries this account.
ALTER TABLE failed_attempts ADD COLUMN account TEXT NOT NULL DEFAULT '';  -- of a network's count: the subject of the account's
CREATE INDEX failed_attempts_account ON failed_attempts (account) WHERE account <> '';

-- Which accounts (or tokens, or keys) were tried wrongly from a network: each once, with its last time. Keyed hashes.
CREATE TABLE network_failures (
  network TEXT NOT NULL,
  subject TEXT NOT NULL,
  failed_at TEXT NOT NULL,
  PRIMARY KEY (network, subject)
) WITHOUT ROWID;
CREATE INDEX network_failures_newest ON network_failures (network, failed_at);
CREATE INDEX network_failures_time ON network_failures (failed_at);

-- Where a user has logged in from.
CREATE TABLE known_origins (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  trait TEXT NOT NULL,              -- keyed hash of user and client network
  first_seen TEXT NOT NULL,
  last_seen TEXT NOT NULL,
  PRIMARY KEY (user_id, trait)
) WITHOUT ROWID;
CREATE INDEX known_origins_last_seen ON known_origins (last_seen);
-- Not left to the foreign key: a raw shell has foreign keys off.
CREATE TRIGGER user_deleted_with_origins BEFORE DELETE ON users BEGIN
  DELETE FROM known_origins WHERE user_id = OLD.id;
END;

-- One row: what an operator has ordered, and what the nodes have noticed.
CREATE TABLE under_attack (
  one INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
  ordered TEXT CHECK (ordered IN ('auto', 'on', 'off')),  -- none: as limits.under_attack says
  reason TEXT NOT NULL DEFAULT '',
  ordered_by TEXT NOT NULL DEFAULT '',  -- an actor, as in audit_log
  ordered_at TEXT,
  expires_at TEXT,                  -- of the order; none: until the next one
  noticed_at TEXT,                  -- since when an attack is going on; none: no node has noticed one
  noticed_until TEXT                -- moved on while it goes on
);
INSERT INTO under_attack (one) VALUES (1);
