-- Mail: what waits, what became of each, what came back, and who gets none.

-- Mails from before have none of this: they are sent first, as they were.
ALTER TABLE mail_outbox ADD COLUMN kind TEXT NOT NULL DEFAULT 'test';
ALTER TABLE mail_outbox ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;  -- 0 is sent first
ALTER TABLE mail_outbox ADD COLUMN user_id TEXT;                         -- whose account it is about; none: nobody's yet
ALTER TABLE mail_outbox ADD COLUMN claimed_until TEXT;                  -- until then it is being sent; none: it is not
DROP INDEX mail_outbox_due;
CREATE INDEX mail_outbox_due ON mail_outbox (priority, next_attempt_at);
CREATE INDEX mail_outbox_user ON mail_outbox (user_id, id) WHERE user_id IS NOT NULL;

-- What became of mails that wait no more. No contents: who, what kind, and how it ended.
CREATE TABLE mail_history (
  id TEXT PRIMARY KEY,                   -- that of the mail, in its Message-ID
  user_id TEXT,
  email TEXT NOT NULL COLLATE NOCASE,
  kind TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('sent', 'refused', 'given-up', 'suppressed', 'dropped')),
  attempts INTEGER NOT NULL,
  detail TEXT NOT NULL DEFAULT '',       -- what the server said
  provider_id TEXT,                      -- by which feedback names it
  created_at TEXT NOT NULL,
  ended_at TEXT NOT NULL,
  feedback TEXT,                         -- the newest that came back: 'delivered', 'bounced', 'complained', …
  feedback_at TEXT
) WITHOUT ROWID;
CREATE INDEX mail_history_user ON mail_history (user_id, id);
CREATE INDEX mail_history_email ON mail_history (email, created_at);
CREATE UNIQUE INDEX mail_history_provider ON mail_history (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX mail_history_created ON mail_history (created_at);

-- Addresses that get no mail, or none but that about the security of their account.
CREATE TABLE mail_suppressions (
  email TEXT NOT NULL COLLATE NOCASE,
  scope TEXT NOT NULL CHECK (scope IN ('all', 'not-security')),
  reason TEXT NOT NULL CHECK (reason IN ('bounce', 'complaint', 'operator')),
  detail TEXT NOT NULL DEFAULT '',
  created_by TEXT NOT NULL,              -- an actor, as in audit_log
  created_at TEXT NOT NULL,
  PRIMARY KEY (email, reason)              -- each is lifted by what lifts it; the widest holds
) WITHOUT ROWID;

-- What came back and counts against an address, once for each feedback id.
CREATE TABLE mail_feedback (
  id TEXT PRIMARY KEY,
  feedback_id TEXT NOT NULL,             -- the provider's, or ours for what a server said while we sent
  email TEXT NOT NULL COLLATE NOCASE,
  mail_id TEXT,                          -- that it is about, where that is known
  user_id TEXT,
  kind TEXT NOT NULL CHECK (kind IN ('bounce', 'complaint')),
  type TEXT NOT NULL,                    -- 'permanent', 'transient', 'undetermined'; of a complaint what it says, or ''
  subtype TEXT NOT NULL DEFAULT '',
  detail TEXT NOT NULL DEFAULT '',       -- what the receiving server said
  source TEXT NOT NULL CHECK (source IN ('ses', 'smtp', 'operator')),
  counted INTEGER NOT NULL,              -- 0: it says nothing about the address
  at TEXT NOT NULL,                      -- when it happened
  created_at TEXT NOT NULL,
  UNIQUE (feedback_id, email)
) WITHOUT ROWID;
CREATE INDEX mail_feedback_email ON mail_feedback (email, at);
CREATE INDEX mail_feedback_created ON mail_feedback (created_at, id);

-- Notifications that were taken, so that none is taken twice.
CREATE TABLE sns_messages (
  message_id TEXT PRIMARY KEY,
  received_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sns_messages_received ON sns_messages (received_at);

-- How much of what happened, in quarters of an hour. (PostgreSQL spreads the counts over several rows.)
CREATE TABLE mail_counts (
  at TEXT NOT NULL,
  name TEXT NOT NULL,
  shard INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (at, name, shard)
) WITHOUT ROWID;

-- What needs somebody's eyes, one row for each thing; seen again, it is counted.
CREATE TABLE mail_warnings (
  name TEXT PRIMARY KEY,
  detail TEXT NOT NULL,
  count INTEGER NOT NULL,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL
) WITHOUT ROWID;

-- What is kept of a user's mail goes with the user. What stays of an address are its suppressions: it gets no mail still.
CREATE TRIGGER user_deleted_with_mail BEFORE DELETE ON users BEGIN
  DELETE FROM mail_history WHERE user_id = OLD.id OR (user_id IS NULL AND email = OLD.email);
  DELETE FROM mail_feedback WHERE user_id = OLD.id;
END;

-- A runbook's "UPDATE users SET is_active = false WHERE bounce_count >= 5" says no reason: the owners have the way back that
-- those have whom we hold. Other reasons stand there, or come by our own commands, which say them.
CREATE TRIGGER user_held_for_bounces AFTER UPDATE OF is_active ON users
WHEN OLD.is_active AND NOT NEW.is_active AND NEW.disabled_reason IS NULL AND NEW.bounce_count >= 5 AND NEW.role <> 'superadmin' BEGIN
  UPDATE users SET disabled_reason = 'bounces' WHERE id = NEW.id;
END;
DROP TRIGGER user_enabled;
CREATE TRIGGER user_enabled AFTER UPDATE OF is_active ON users
WHEN NEW.is_active AND (NEW.disabled_at IS NOT NULL OR NEW.disabled_reason IS NOT NULL) BEGIN
  UPDATE users SET disabled_reason = NULL, disabled_at = NULL WHERE id = NEW.id;
END;

-- Whoever has proved the address, or got a mail, was suppressed by mistake, or is there again.
CREATE TRIGGER user_mail_good AFTER UPDATE OF email_status, bounce_count ON users
WHEN (OLD.email_status = 'bounced' AND NEW.email_status = 'ok') OR (OLD.bounce_count > 0 AND NEW.bounce_count = 0) BEGIN
  DELETE FROM mail_suppressions WHERE email = NEW.email AND reason = 'bounce';
END;
