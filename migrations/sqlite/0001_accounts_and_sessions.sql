-- Accounts and sessions. Times are RFC 3339 text with six fraction digits and "Z"; ids are UUIDv7 text.
-- The triggers use built-in functions only: any client may be the writer, and SQL typed by hand must do all that the API does.

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  email TEXT NOT NULL UNIQUE COLLATE NOCASE,
  name TEXT NOT NULL DEFAULT '',
  locale TEXT NOT NULL DEFAULT 'en',
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL DEFAULT 'customer' CHECK (role IN ('customer', 'support', 'admin', 'superadmin')),
  email_status TEXT NOT NULL DEFAULT 'ok' CHECK (email_status IN ('ok', 'bounced', 'complained')),
  bounce_count INTEGER NOT NULL DEFAULT 0,
  is_active INTEGER NOT NULL DEFAULT 1,
  email_verified_at TEXT,
  credential_version INTEGER NOT NULL DEFAULT 1,  -- raised with the password: a login compares what it verified
  token_version INTEGER NOT NULL DEFAULT 1,       -- raised with the role: access tokens carry it
  last_login_at TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX users_created ON users (created_at, id);

CREATE TABLE session_epoch (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  incarnation TEXT NOT NULL,
  epoch INTEGER NOT NULL
);
INSERT INTO session_epoch VALUES (1, lower(hex(randomblob(16))), 1);

-- A row exists exactly as long as the session lives (during a global logout: a row of the current epoch).
CREATE TABLE refresh_sessions (
  id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  epoch INTEGER NOT NULL,
  generation INTEGER NOT NULL DEFAULT 1,
  created_at TEXT NOT NULL,
  rotated_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,  -- slides with use, never past ends_at
  ends_at TEXT NOT NULL,
  device_name TEXT NOT NULL DEFAULT '',
  user_agent TEXT NOT NULL DEFAULT '',
  ip_address TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX refresh_sessions_user ON refresh_sessions (user_id);

-- Evidence of what has ended.
CREATE TABLE ended_sessions (
  id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  rotated_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  device_name TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  ip_address TEXT NOT NULL,
  ended_at TEXT NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL
);
CREATE INDEX ended_sessions_user ON ended_sessions (user_id, ended_at);
CREATE INDEX ended_sessions_ended ON ended_sessions (ended_at);

-- What access tokens are dead. AUTOINCREMENT: no number is used twice; one writer: their order is the order of commits.
CREATE TABLE revocations (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  scope TEXT NOT NULL CHECK (scope IN ('session', 'user', 'global')),
  sid TEXT,               -- session: the one that ended; global: the one that was spared
  user_id TEXT,           -- user: whose tokens
  token_version INTEGER,  -- user: dead below this version
  epoch INTEGER,          -- global: dead below this epoch
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  created_at TEXT NOT NULL
);
CREATE INDEX revocations_created ON revocations (created_at);

-- Who acts and why: our transactions fill the one row and restore it before they end; a raw shell finds the defaults.
CREATE TABLE acting (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  spared TEXT             -- the session that a global logout spares
);
INSERT INTO acting VALUES (1, 'sql', 'database', NULL);

-- Rows of an older epoch are already dead: deleting them writes no further revocation.
CREATE TRIGGER session_deleted AFTER DELETE ON refresh_sessions BEGIN
  INSERT INTO ended_sessions
    SELECT OLD.id, OLD.user_id, OLD.epoch, OLD.generation, OLD.created_at, OLD.rotated_at, OLD.expires_at, OLD.device_name,
           OLD.user_agent, OLD.ip_address, strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z', reason, actor
    FROM acting;
  INSERT INTO revocations (scope, sid, user_id, reason, actor, created_at)
    SELECT 'session', OLD.id, OLD.user_id, reason, actor, strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'
    FROM acting
    WHERE OLD.expires_at > strftime('%Y-%m-%dT%H:%M:%f', 'now', '-1 minute') || '000Z'
      AND OLD.epoch = (SELECT epoch FROM session_epoch);
END;

-- An expiry that is moved into the past ends the session now. "999": strftime knows milliseconds, and NOW() in the same
-- statement is some microseconds ahead of them.
CREATE TRIGGER session_expired AFTER UPDATE OF expires_at ON refresh_sessions
  WHEN NEW.expires_at < OLD.expires_at AND NEW.expires_at <= strftime('%Y-%m-%dT%H:%M:%f', 'now') || '999Z' BEGIN
  DELETE FROM refresh_sessions WHERE id = NEW.id;
  INSERT INTO revocations (scope, sid, user_id, reason, actor, created_at)
    SELECT 'session', OLD.id, OLD.user_id, reason, actor, strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'
    FROM acting
    WHERE NEW.expires_at <= strftime('%Y-%m-%dT%H:%M:%f', 'now', '-1 minute') || '000Z';
END;

CREATE TRIGGER user_deactivated AFTER UPDATE OF is_active ON users WHEN OLD.is_active AND NOT NEW.is_active BEGIN
  DELETE FROM refresh_sessions WHERE user_id = NEW.id;
END;

-- Not left to the foreign key: a raw shell has foreign keys off.
CREATE TRIGGER user_deleted BEFORE DELETE ON users BEGIN
  DELETE FROM refresh_sessions WHERE user_id = OLD.id;
END;

CREATE TRIGGER user_claims AFTER UPDATE OF role ON users WHEN OLD.role IS NOT NEW.role BEGIN
  UPDATE users SET token_version = OLD.token_version + 1 WHERE id = NEW.id;
END;

CREATE TRIGGER user_tokens AFTER UPDATE OF token_version ON users WHEN NEW.token_version > OLD.token_version BEGIN
  INSERT INTO revocations (scope, user_id, token_version, reason, actor, created_at)
    SELECT 'user', NEW.id, NEW.token_version, reason, actor, strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z' FROM acting;
END;

-- In force at once and at any size: everything demands the current epoch. The spared session is carried over.
CREATE TRIGGER epoch_raised AFTER UPDATE OF epoch ON session_epoch WHEN NEW.epoch > OLD.epoch BEGIN
  UPDATE refresh_sessions SET epoch = NEW.epoch
    WHERE id = (SELECT spared FROM acting) AND epoch = OLD.epoch;
  INSERT INTO revocations (scope, sid, epoch, reason, actor, created_at)
    SELECT 'global', spared, NEW.epoch, reason, actor, strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z' FROM acting;
END;

-- One-time tokens, by their hash. A newer one of the same purpose replaces the older.
CREATE TABLE one_time_tokens (
  token_hash TEXT PRIMARY KEY,
  user_id TEXT REFERENCES users (id) ON DELETE CASCADE,  -- none for an invitation
  purpose TEXT NOT NULL CHECK (purpose IN ('verify-email', 'reset-password', 'change-email', 'invitation')),
  email TEXT NOT NULL COLLATE NOCASE,                    -- the address that it was mailed to
  expires_at TEXT NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id);
CREATE INDEX one_time_tokens_expiry ON one_time_tokens (expires_at);
CREATE TRIGGER user_tokens_deleted BEFORE DELETE ON users BEGIN
  DELETE FROM one_time_tokens WHERE user_id = OLD.id;
END;

-- Mail that waits to be sent, sealed with the master key, written in the transaction that caused it.
CREATE TABLE mail_outbox (
  id TEXT PRIMARY KEY,
  sealed TEXT NOT NULL,             -- base64; recipient, subject and text
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at TEXT NOT NULL,
  last_error TEXT,
  created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX mail_outbox_due ON mail_outbox (next_attempt_at);

CREATE TABLE audit_log (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  at TEXT NOT NULL,
  action TEXT NOT NULL,             -- what was tried: 'session.force-logout', 'user.password-changed', …
  outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused')),
  actor TEXT NOT NULL,              -- 'user:<id>', 'system', 'anonymous'
  target TEXT NOT NULL,             -- 'user:<id>', 'session:<id>', 'everybody', …
  reason TEXT NOT NULL,
  ip_address TEXT NOT NULL,
  request_id TEXT NOT NULL,
  mac TEXT NOT NULL                 -- keyed, over all columns but seq
);
CREATE INDEX audit_log_at ON audit_log (at);

-- Signing keys and token MAC keys, sealed with the master key.
CREATE TABLE keys (
  id TEXT PRIMARY KEY,              -- signing: the key's RFC 7638 thumbprint; mac: its number
  purpose TEXT NOT NULL CHECK (purpose IN ('signing', 'refresh-mac')),
  algorithm TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('next', 'active', 'verifying', 'retired', 'compromised')),
  sealed TEXT NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX keys_active ON keys (purpose) WHERE state = 'active';

-- Answers to requests that carried an Idempotency-Key, for 24 hours.
CREATE TABLE idempotent_answers (
  caller TEXT NOT NULL,             -- 'user:<id>' or the client network of an anonymous caller
  key_hash TEXT NOT NULL,
  request_hash TEXT NOT NULL,       -- method, path and body, keyed: a body may hold a password
  status INTEGER NOT NULL,
  body TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (caller, key_hash)
) WITHOUT ROWID;
CREATE INDEX idempotent_answers_created ON idempotent_answers (created_at);

CREATE TABLE database_probe (one INTEGER PRIMARY KEY CHECK (one = 1), probed_at TEXT NOT NULL);
INSERT INTO database_probe VALUES (1, '');
