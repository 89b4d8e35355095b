-- Accounts and sessions. The same tables and columns as on the embedded database, in PostgreSQL's own types.
-- The triggers do what the API relies on, so that SQL typed by hand does all that the API does. They run with the rights of
-- their owner and a fixed search path, and also where replication has switched ordinary triggers off.

CREATE EXTENSION IF NOT EXISTS citext;

CREATE TABLE users (
  id uuid PRIMARY KEY,
  email citext NOT NULL UNIQUE,
  name text NOT NULL DEFAULT '',
  locale text NOT NULL DEFAULT 'en',
  password_hash text NOT NULL,
  role text NOT NULL DEFAULT 'customer' CHECK (role IN ('customer', 'support', 'admin', 'superadmin')),
  email_status text NOT NULL DEFAULT 'ok' CHECK (email_status IN ('ok', 'bounced', 'complained')),
  bounce_count integer NOT NULL DEFAULT 0,
  is_active boolean NOT NULL DEFAULT true,
  email_verified_at timestamptz,
  credential_version bigint NOT NULL DEFAULT 1,  -- raised with the password: a login compares what it verified
  token_version bigint NOT NULL DEFAULT 1,       -- raised with the role: access tokens carry it
  last_login_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
) WITH (fillfactor = 90);
CREATE INDEX users_created ON users (created_at, id);

CREATE TABLE session_epoch (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  incarnation uuid NOT NULL DEFAULT gen_random_uuid(),
  epoch bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 10);
INSERT INTO session_epoch DEFAULT VALUES;

-- A row exists exactly as long as the session lives (during a global logout: a row of the current epoch). No column that
-- rotation changes is indexed, and pages keep room: rotation then updates in place.
CREATE TABLE refresh_sessions (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  epoch bigint NOT NULL,
  generation bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  rotated_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,  -- slides with use, never past ends_at
  ends_at timestamptz NOT NULL,
  device_name text NOT NULL DEFAULT '',
  user_agent text NOT NULL DEFAULT '',
  ip_address text NOT NULL DEFAULT ''
) WITH (fillfactor = 80);
CREATE INDEX refresh_sessions_user ON refresh_sessions (user_id);

-- Evidence of what has ended.
CREATE TABLE ended_sessions (
  id uuid NOT NULL,
  user_id uuid NOT NULL,
  epoch bigint NOT NULL,
  generation bigint NOT NULL,
  created_at timestamptz NOT NULL,
  rotated_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  device_name text NOT NULL,
  user_agent text NOT NULL,
  ip_address text NOT NULL,
  ended_at timestamptz NOT NULL,
  reason text NOT NULL,
  actor text NOT NULL
);
CREATE INDEX ended_sessions_user ON ended_sessions (user_id, ended_at);
CREATE INDEX ended_sessions_ended ON ended_sessions (ended_at);

-- What access tokens are dead. `tx` is how readers find what was committed since they last looked: numbers of a sequence can
-- be committed in another order than they were given out.
CREATE TABLE revocations (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
  scope text NOT NULL CHECK (scope IN ('session', 'user', 'global')),
  sids uuid[] NOT NULL DEFAULT '{}',  -- session: those that ended, 1,000 at the most; global: those that were spared
  user_id uuid,                       -- user: whose tokens
  token_version bigint,               -- user: dead below this version
  epoch bigint,                       -- global: dead below this epoch
  reason text NOT NULL,
  actor text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at timestamptz                 -- when housekeeping first saw it committed: it is kept for so long after that
);
CREATE INDEX revocations_tx ON revocations (tx);
CREATE INDEX revocations_seen ON revocations (seen_at);

-- Who acts and why: our transactions set these for themselves; whoever types SQL finds the defaults.
CREATE FUNCTION acting_reason() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT coalesce(nullif(current_setting('safawinet.reason', true), ''), 'sql') $$;
CREATE FUNCTION acting_actor() RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT coalesce(nullif(current_setting('safawinet.actor', true), ''), 'database:' || session_user) $$;

-- Readers of the revocations and of the outbox look at once. However often it is called, a commit sends one.
CREATE FUNCTION notify_readers() RETURNS void LANGUAGE sql AS $$ SELECT pg_notify('safawinet', '') $$;

-- Rows of an older epoch are already dead: deleting them writes no further revocation. Neither does deleting what expired
-- long ago, unless it is its expiry that has just been moved.
CREATE FUNCTION on_sessions_deleted() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  why text := acting_reason();
  who text := acting_actor();
  moment timestamptz := clock_timestamp();
  is_expiry_moved boolean := coalesce(current_setting('safawinet.expiry_moved', true), '') = 'yes';
BEGIN
  INSERT INTO ended_sessions (id, user_id, epoch, generation, created_at, rotated_at, expires_at, device_name, user_agent,
                              ip_address, ended_at, reason, actor)
    SELECT id, user_id, epoch, generation, created_at, rotated_at, expires_at, device_name, user_agent, ip_address,
           moment, why, who
    FROM gone;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  INSERT INTO revocations (scope, sids, reason, actor)
    SELECT 'session', array_agg(id), why, who
    FROM (SELECT id, (row_number() OVER () - 1) / 1000 AS part
          FROM gone
          WHERE (is_expiry_moved OR expires_at > moment - interval '1 minute')
            AND epoch = (SELECT epoch FROM session_epoch)) AS parted
    GROUP BY part;
  IF FOUND THEN
    PERFORM notify_readers();
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER sessions_deleted AFTER DELETE ON refresh_sessions REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION on_sessions_deleted();

-- An expiry that is moved into the past ends the session now. The first row of a statement takes all that have expired with it.
CREATE FUNCTION on_session_expired() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM FROM refresh_sessions WHERE id = NEW.id;
  IF FOUND THEN
    PERFORM set_config('safawinet.expiry_moved', 'yes', true);
    DELETE FROM refresh_sessions WHERE id = NEW.id OR expires_at <= clock_timestamp();
    PERFORM set_config('safawinet.expiry_moved', '', true);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER session_expired AFTER UPDATE OF expires_at ON refresh_sessions FOR EACH ROW
  WHEN (NEW.expires_at < OLD.expires_at AND NEW.expires_at <= clock_timestamp())
  EXECUTE FUNCTION on_session_expired();

-- In force at once and at any size: everything demands the current epoch. The spared session is carried over. Two that
-- happen at once wait for each other at the row: epochs are committed in order.
CREATE FUNCTION on_epoch_raised() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  spared uuid := nullif(current_setting('safawinet.spared', true), '')::uuid;
BEGIN
  UPDATE refresh_sessions SET epoch = NEW.epoch WHERE id = spared AND epoch = OLD.epoch;
  INSERT INTO revocations (scope, sids, epoch, reason, actor)
    VALUES ('global', array_remove(ARRAY[spared], NULL), NEW.epoch, acting_reason(), acting_actor());
  PERFORM notify_readers();
  RETURN NULL;
END $$;
CREATE TRIGGER epoch_raised AFTER UPDATE OF epoch ON session_epoch FOR EACH ROW WHEN (NEW.epoch > OLD.epoch)
  EXECUTE FUNCTION on_epoch_raised();

-- TRUNCATE fires no trigger for rows: it ends everybody's session.
CREATE FUNCTION on_sessions_truncated() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO ended_sessions (id, user_id, epoch, generation, created_at, rotated_at, expires_at, device_name, user_agent,
                              ip_address, ended_at, reason, actor)
    SELECT id, user_id, epoch, generation, created_at, rotated_at, expires_at, device_name, user_agent, ip_address,
           clock_timestamp(), acting_reason(), acting_actor()
    FROM refresh_sessions;
  UPDATE session_epoch SET epoch = epoch + 1;
  RETURN NULL;
END $$;
CREATE TRIGGER sessions_truncated BEFORE TRUNCATE ON refresh_sessions
  FOR EACH STATEMENT EXECUTE FUNCTION on_sessions_truncated();

-- A role that changes makes the tokens that name the old one worthless.
CREATE FUNCTION on_user_claims_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.token_version := OLD.token_version + 1;
  RETURN NEW;
END $$;
CREATE TRIGGER user_claims_changed BEFORE UPDATE OF role ON users FOR EACH ROW WHEN (OLD.role IS DISTINCT FROM NEW.role)
  EXECUTE FUNCTION on_user_claims_changed();

-- Every login passes here: what it pays is two looks at the rows of its own statement. What follows is planned anew each
-- time, for one user and for a million.
CREATE FUNCTION on_users_changed() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM former JOIN latter USING (id) WHERE former.is_active AND NOT latter.is_active) THEN
    EXECUTE 'DELETE FROM refresh_sessions WHERE user_id IN '
            '(SELECT id FROM former JOIN latter USING (id) WHERE former.is_active AND NOT latter.is_active)';
  END IF;
  INSERT INTO revocations (scope, user_id, token_version, reason, actor)
    SELECT 'user', latter.id, latter.token_version, acting_reason(), acting_actor()
    FROM former JOIN latter USING (id)
    WHERE latter.token_version > former.token_version;
  IF FOUND THEN
    PERFORM notify_readers();
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER users_changed AFTER UPDATE ON users REFERENCING OLD TABLE AS former NEW TABLE AS latter
  FOR EACH STATEMENT EXECUTE FUNCTION on_users_changed();

-- One-time tokens, by their hash. A newer one of the same purpose replaces the older.
CREATE TABLE one_time_tokens (
  token_hash text PRIMARY KEY,
  user_id uuid REFERENCES users (id) ON DELETE CASCADE,  -- none for an invitation
  purpose text NOT NULL CHECK (purpose IN ('verify-email', 'reset-password', 'change-email', 'invitation')),
  email citext NOT NULL,                                 -- the address that it was mailed to
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id);
CREATE INDEX one_time_tokens_expiry ON one_time_tokens (expires_at);

-- Mail that waits to be sent, sealed with the master key, written in the transaction that caused it.
CREATE TABLE mail_outbox (
  id uuid PRIMARY KEY,
  sealed text NOT NULL,             -- base64; recipient, subject and text
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL,
  last_error text,
  created_at timestamptz NOT NULL
);
CREATE INDEX mail_outbox_due ON mail_outbox (next_attempt_at);
CREATE FUNCTION on_mail_enqueued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM notify_readers();
  RETURN NULL;
END $$;
CREATE TRIGGER mail_enqueued AFTER INSERT ON mail_outbox FOR EACH STATEMENT EXECUTE FUNCTION on_mail_enqueued();

CREATE TABLE audit_log (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id uuid NOT NULL UNIQUE,
  at timestamptz NOT NULL,
  action text NOT NULL,             -- what was tried: 'session.force-logout', 'user.password-changed', …
  outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
  actor text NOT NULL,              -- 'user:<id>', 'system', 'anonymous'
  target text NOT NULL,             -- 'user:<id>', 'session:<id>', 'everybody', …
  reason text NOT NULL,
  ip_address text NOT NULL,
  request_id text NOT NULL,
  mac text NOT NULL                 -- keyed, over all columns but seq
);
CREATE INDEX audit_log_at ON audit_log (at);

-- Signing keys and token MAC keys, sealed with the master key.
CREATE TABLE keys (
  id text PRIMARY KEY,              -- signing: the key's RFC 7638 thumbprint; mac: its number
  purpose text NOT NULL CHECK (purpose IN ('signing', 'refresh-mac')),
  algorithm text NOT NULL,
  state text NOT NULL CHECK (state IN ('next', 'active', 'verifying', 'retired', 'compromised')),
  sealed text NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX keys_active ON keys (purpose) WHERE state = 'active';

-- Answers to requests that carried an Idempotency-Key, for 24 hours.
CREATE TABLE idempotent_answers (
  caller text NOT NULL,             -- 'user:<id>' or the client network of an anonymous caller
  key_hash text NOT NULL,
  request_hash text NOT NULL,       -- method, path and body, keyed: a body may hold a password
  status integer NOT NULL,
  body text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (caller, key_hash)
);
CREATE INDEX idempotent_answers_created ON idempotent_answers (created_at);

CREATE TABLE database_probe (one boolean PRIMARY KEY DEFAULT true CHECK (one), probed_at timestamptz NOT NULL)
  WITH (fillfactor = 10);
INSERT INTO database_probe VALUES (true, 'epoch');

ALTER TABLE refresh_sessions ENABLE ALWAYS TRIGGER sessions_deleted;
ALTER TABLE refresh_sessions ENABLE ALWAYS TRIGGER session_expired;
ALTER TABLE refresh_sessions ENABLE ALWAYS TRIGGER sessions_truncated;
ALTER TABLE session_epoch ENABLE ALWAYS TRIGGER epoch_raised;
ALTER TABLE users ENABLE ALWAYS TRIGGER user_claims_changed;
ALTER TABLE users ENABLE ALWAYS TRIGGER users_changed;
