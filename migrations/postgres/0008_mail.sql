-- Mail: what waits, what became of each, what came back, and who gets none.

-- Mails from before have none of this: they are sent first, as they were.
ALTER TABLE mail_outbox ADD COLUMN kind text NOT NULL DEFAULT 'test';
ALTER TABLE mail_outbox ADD COLUMN priority smallint NOT NULL DEFAULT 0;  -- 0 is sent first
ALTER TABLE mail_outbox ADD COLUMN user_id uuid;                          -- whose account it is about; none: nobody's yet
ALTER TABLE mail_outbox ADD COLUMN claimed_until timestamptz;           -- until then it is being sent; none: it is not
DROP INDEX mail_outbox_due;
CREATE INDEX mail_outbox_due ON mail_outbox (priority, next_attempt_at);
CREATE INDEX mail_outbox_user ON mail_outbox (user_id, id) WHERE user_id IS NOT NULL;

-- What became of mails that wait no more. No contents: who, what kind, and how it ended.
CREATE TABLE mail_history (
  id uuid PRIMARY KEY,                   -- that of the mail, in its Message-ID
  user_id uuid,
  email citext NOT NULL,
  kind text NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('sent', 'refused', 'given-up', 'suppressed', 'dropped')),
  attempts integer NOT NULL,
  detail text NOT NULL DEFAULT '',       -- what the server said
  provider_id text,                      -- by which feedback names it
  created_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  feedback text,                         -- the newest that came back: 'delivered', 'bounced', 'complained', …
  feedback_at timestamptz
);
CREATE INDEX mail_history_user ON mail_history (user_id, id);
CREATE INDEX mail_history_email ON mail_history (email, created_at);
CREATE UNIQUE INDEX mail_history_provider ON mail_history (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX mail_history_created ON mail_history (created_at);

-- Addresses that get no mail, or none but that about the security of their account.
CREATE TABLE mail_suppressions (
  email citext NOT NULL,
  scope text NOT NULL CHECK (scope IN ('all', 'not-security')),
  reason text NOT NULL CHECK (reason IN ('bounce', 'complaint', 'operator')),
  detail text NOT NULL DEFAULT '',
  created_by text NOT NULL,              -- an actor, as in audit_log
  created_at timestamptz NOT NULL,
  PRIMARY KEY (email, reason)              -- each is lifted by what lifts it; the widest holds
);

-- What came back and counts against an address, once for each feedback id.
CREATE TABLE mail_feedback (
  id uuid PRIMARY KEY,
  feedback_id text NOT NULL,             -- the provider's, or ours for what a server said while we sent
  email citext NOT NULL,
  mail_id uuid,                          -- that it is about, where that is known
  user_id uuid,
  kind text NOT NULL CHECK (kind IN ('bounce', 'complaint')),
  type text NOT NULL,                    -- 'permanent', 'transient', 'undetermined'; of a complaint what it says, or ''
  subtype text NOT NULL DEFAULT '',
  detail text NOT NULL DEFAULT '',       -- what the receiving server said
  source text NOT NULL CHECK (source IN ('ses', 'smtp', 'operator')),
  counted boolean NOT NULL,              -- false: it says nothing about the address
  at timestamptz NOT NULL,               -- when it happened
  created_at timestamptz NOT NULL,
  UNIQUE (feedback_id, email)
);
CREATE INDEX mail_feedback_email ON mail_feedback (email, at);
CREATE INDEX mail_feedback_created ON mail_feedback (created_at, id);

-- Notifications that were taken, so that none is taken twice.
CREATE TABLE sns_messages (
  message_id text PRIMARY KEY,
  received_at timestamptz NOT NULL
);
CREATE INDEX sns_messages_received ON sns_messages (received_at);

-- How much of what happened, in quarters of an hour. Many write at once: each to one of several rows.
CREATE TABLE mail_counts (
  at timestamptz NOT NULL,
  name text NOT NULL,
  shard smallint NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (at, name, shard)
) WITH (fillfactor = 50);

-- What needs somebody's eyes, one row for each thing; seen again, it is counted.
CREATE TABLE mail_warnings (
  name text PRIMARY KEY,
  detail text NOT NULL,
  count bigint NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL
);

-- What is kept of a user's mail goes with the user. What stays of an address are its suppressions: it gets no mail still.
CREATE FUNCTION on_user_deleted_with_mail() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM mail_history WHERE user_id = OLD.id OR (user_id IS NULL AND email = OLD.email);
  DELETE FROM mail_feedback WHERE user_id = OLD.id;
  RETURN OLD;
END $$;
CREATE TRIGGER user_deleted_with_mail BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION on_user_deleted_with_mail();
ALTER TABLE users ENABLE ALWAYS TRIGGER user_deleted_with_mail;

-- A runbook's "UPDATE users SET is_active = false WHERE bounce_count >= 5" says no reason: the owners have the way back that
-- those have whom we hold. Other reasons stand there, or come by our own commands, which say them.
CREATE FUNCTION on_user_held_for_bounces() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.disabled_reason := 'bounces';
  RETURN NEW;
END $$;
CREATE TRIGGER user_held_for_bounces BEFORE UPDATE OF is_active ON users FOR EACH ROW
  WHEN (OLD.is_active AND NOT NEW.is_active AND NEW.disabled_reason IS NULL AND NEW.bounce_count >= 5 AND NEW.role <> 'superadmin')
  EXECUTE FUNCTION on_user_held_for_bounces();
ALTER TABLE users ENABLE ALWAYS TRIGGER user_held_for_bounces;

-- Whoever has proved the address, or got a mail, was suppressed by mistake, or is there again.
CREATE FUNCTION on_user_mail_good() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM mail_suppressions WHERE email = NEW.email AND reason = 'bounce';
  RETURN NULL;
END $$;
CREATE TRIGGER user_mail_good AFTER UPDATE OF email_status, bounce_count ON users FOR EACH ROW
  WHEN ((OLD.email_status = 'bounced' AND NEW.email_status = 'ok') OR (OLD.bounce_count > 0 AND NEW.bounce_count = 0))
  EXECUTE FUNCTION on_user_mail_good();
ALTER TABLE users ENABLE ALWAYS TRIGGER user_mail_good;
