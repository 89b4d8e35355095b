-- Second factors, login in two steps, and how a session's user has proved who they are.

-- How, as in the claim `amr` with spaces between the methods; and when last (no time: at the login).
ALTER TABLE refresh_sessions ADD COLUMN amr text NOT NULL DEFAULT 'pwd';
ALTER TABLE refresh_sessions ADD COLUMN authenticated_at timestamptz;

-- The session that asked for it, which a change of the address spares.
ALTER TABLE one_time_tokens ADD COLUMN session_id uuid;

-- One-time passwords by time (RFC 6238). A user has one at the most; it is asked for once it is confirmed.
CREATE TABLE totp_factors (
  user_id uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  sealed text NOT NULL,                  -- base64; the secret and the key of the backup codes, for "totp-secret/<user id>"
  credential_version bigint NOT NULL,    -- of the user, when it was offered: a password that changes withdraws the offer
  used_steps text NOT NULL DEFAULT '',   -- whose codes were taken, the last ones, the newest last, with commas between them
  created_at timestamptz NOT NULL,
  confirmed_at timestamptz,              -- none: offered, and not yet proved
  last_used_at timestamptz
) WITH (fillfactor = 80);

-- Those that were not used yet.
CREATE TABLE backup_codes (
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  code_mac text NOT NULL,                -- keyed, with the key that is sealed beside the user's secret
  PRIMARY KEY (user_id, code_mac)
);

-- Logins whose password was right and whose second step is still to come, by the hash of their ticket.
CREATE TABLE login_tickets (
  ticket_hash text PRIMARY KEY,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  credential_version bigint NOT NULL,    -- that the password was of
  epoch bigint NOT NULL,                 -- of the sessions then: a global logout ends tickets too
  device_name text NOT NULL,
  expires_at timestamptz NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE INDEX login_tickets_user ON login_tickets (user_id, created_at);
CREATE INDEX login_tickets_expiry ON login_tickets (expires_at);

-- What ends a live session of a user ends the logins that are half done as well, whoever does it. Mostly there are none.
CREATE FUNCTION on_sessions_deleted_with_tickets() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM login_tickets) THEN
    EXECUTE 'DELETE FROM login_tickets WHERE user_id IN '
            '(SELECT user_id FROM gone WHERE expires_at > clock_timestamp() - interval ''1 minute'' '
            'AND epoch = (SELECT epoch FROM session_epoch))';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER sessions_deleted_with_tickets AFTER DELETE ON refresh_sessions REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION on_sessions_deleted_with_tickets();

CREATE FUNCTION on_user_deactivated_with_tickets() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  DELETE FROM login_tickets WHERE user_id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER user_deactivated_with_tickets AFTER UPDATE OF is_active ON users FOR EACH ROW
  WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION on_user_deactivated_with_tickets();

ALTER TABLE refresh_sessions ENABLE ALWAYS TRIGGER sessions_deleted_with_tickets;
ALTER TABLE users ENABLE ALWAYS TRIGGER user_deactivated_with_tickets;
