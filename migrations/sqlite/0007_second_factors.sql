-- Second factors, login in two steps, and how a session's user has proved who they are.

-- How, as in the claim `amr` with spaces between the methods; and when last (no time: at the login).
ALTER TABLE refresh_sessions ADD COLUMN amr TEXT NOT NULL DEFAULT 'pwd';
ALTER TABLE refresh_sessions ADD COLUMN authenticated_at TEXT;

-- The session that asked for it, which a change of the address spares.
ALTER TABLE one_time_tokens ADD COLUMN session_id TEXT;

-- One-time passwords by time (RFC 6238). A user has one at the most; it is asked for once it is confirmed.
CREATE TABLE totp_factors (
  user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  sealed TEXT NOT NULL,                  -- base64; the secret and the key of the backup codes, for "totp-secret/<user id>"
  credential_version INTEGER NOT NULL,   -- of the user, when it was offered: a password that changes withdraws the offer
  used_steps TEXT NOT NULL DEFAULT '',   -- whose codes were taken, the last ones, the newest last, with commas between them
  created_at TEXT NOT NULL,
  confirmed_at TEXT,                     -- none: offered, and not yet proved
  last_used_at TEXT
) WITHOUT ROWID;

-- Those that were not used yet.
CREATE TABLE backup_codes (
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  code_mac TEXT NOT NULL,                -- keyed, with the key that is sealed beside the user's secret
  PRIMARY KEY (user_id, code_mac)
) WITHOUT ROWID;

-- Logins whose password was right and whose second step is still to come, by the hash of their ticket.
CREATE TABLE login_tickets (
  ticket_hash TEXT PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  credential_version INTEGER NOT NULL,   -- that the password was of
  epoch INTEGER NOT NULL,                -- of the sessions then: a global logout ends tickets too
  device_name TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX login_tickets_user ON login_tickets (user_id, created_at);
CREATE INDEX login_tickets_expiry ON login_tickets (expires_at);

-- What ends a live session of a user ends the logins that are half done as well, whoever does it.
CREATE TRIGGER session_deleted_with_tickets AFTER DELETE ON refresh_sessions
  WHEN OLD.expires_at > strftime('%Y-%m-%dT%H:%M:%f', 'now', '-1 minute') || '000Z'
       AND OLD.epoch = (SELECT epoch FROM session_epoch) BEGIN
  DELETE FROM login_tickets WHERE user_id = OLD.user_id;
END;
CREATE TRIGGER user_deactivated_with_tickets AFTER UPDATE OF is_active ON users WHEN OLD.is_active AND NOT NEW.is_active BEGIN
  DELETE FROM login_tickets WHERE user_id = NEW.id;
END;

-- Not left to the foreign key: a raw shell has foreign keys off.
CREATE TRIGGER user_deleted_with_factors BEFORE DELETE ON users BEGIN
  DELETE FROM totp_factors WHERE user_id = OLD.id;
  DELETE FROM backup_codes WHERE user_id = OLD.id;
  DELETE FROM login_tickets WHERE user_id = OLD.id;
END;
