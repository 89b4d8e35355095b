-- What several nodes must agree on: failed attempts, and forced logouts in progress. (One node, here; the tables are the same.)

-- When the last attempts on something guessable failed. `subject` is a keyed hash of the account, whether it exists or not.
CREATE TABLE failed_attempts (
  subject TEXT PRIMARY KEY,
  failed_at TEXT NOT NULL,          -- microseconds since 1970, oldest first, with commas between them
  forget_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX failed_attempts_forget ON failed_attempts (forget_at);

-- Forced logouts by criteria: begun once, continued after a crash.
CREATE TABLE bulk_logouts (
  id TEXT PRIMARY KEY,
  criteria TEXT NOT NULL,           -- JSON, as it was confirmed
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'done')),
  spared TEXT,                      -- the session that gave the order
  sessions_expected INTEGER NOT NULL,
  sessions_ended INTEGER NOT NULL DEFAULT 0,
  resume_after TEXT NOT NULL,       -- the last session that was looked at; all zeros at the beginning
  leased_until TEXT NOT NULL,
  created_at TEXT NOT NULL,
  finished_at TEXT
) WITHOUT ROWID;
CREATE INDEX bulk_logouts_running ON bulk_logouts (created_at) WHERE state = 'running';
