-- The life of the keys, and what is sealed with the master key beside them.

-- None: since the key was made.
ALTER TABLE keys ADD COLUMN state_since TEXT;
-- next: when it is to become active (none: at the next rotation); verifying: until when it verifies.
ALTER TABLE keys ADD COLUMN state_until TEXT;
CREATE UNIQUE INDEX keys_next ON keys (purpose) WHERE state = 'next';

-- What other keys are derived from, sealed with the master key.
CREATE TABLE root_secret (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  sealed TEXT NOT NULL,
  created_at TEXT NOT NULL
);

-- The master keys that have sealed anything here, by their fingerprints.
CREATE TABLE master_keys (
  fingerprint TEXT PRIMARY KEY,
  first_used_at TEXT NOT NULL
) WITHOUT ROWID;
