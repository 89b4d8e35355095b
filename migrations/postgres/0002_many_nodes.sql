-- What several nodes must agree on: failed attempts, and forced logouts in progress.

-- When the last attempts on something guessable failed, whatever node they were made at. `subject` is a keyed hash of the
-- account, whether it exists or not.
CREATE TABLE failed_attempts (
  subject text PRIMARY KEY,
  failed_at text NOT NULL,          -- microseconds since 1970, oldest first, with commas between them
  forget_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX failed_attempts_forget ON failed_attempts (forget_at);

-- Forced logouts by criteria: begun once, continued by whichever node is alive.
CREATE TABLE bulk_logouts (
  id uuid PRIMARY KEY,
  criteria text NOT NULL,           -- JSON, as it was confirmed
  reason text NOT NULL,
  actor text NOT NULL,
  state text NOT NULL CHECK (state IN ('running', 'done')),
  spared uuid,                      -- the session that gave the order
  sessions_expected bigint NOT NULL,
  sessions_ended bigint NOT NULL DEFAULT 0,
  resume_after uuid NOT NULL,       -- the last session that was looked at; all zeros at the beginning
  leased_until timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  finished_at timestamptz
);
CREATE INDEX bulk_logouts_running ON bulk_logouts (created_at) WHERE state = 'running';
