-- Who may do what, and the record of it.

-- The audit chain
--
-- What is personal in an entry is under a commitment of its own, so that it can be erased and the rest stays verifiable.
-- Entries from before keep their MAC over everything: their `personal` is empty.
ALTER TABLE audit_log ADD COLUMN salt text;                          -- random, of the commitment; none once erased
ALTER TABLE audit_log ADD COLUMN personal text NOT NULL DEFAULT '';  -- commitment to salt, actor, target, reason, ip_address
CREATE INDEX audit_log_actor ON audit_log (actor, id);
CREATE INDEX audit_log_target ON audit_log (target, id);

-- Entries that are committed and not yet in the chain: a trigger puts them here, the sequencer takes them away.
CREATE TABLE audit_queue (
  seq bigint PRIMARY KEY,           -- of the entry
  entry_id uuid NOT NULL,
  entry_mac text NOT NULL
);

-- Each entry once, in the order in which it was linked. Positions have no gaps.
CREATE TABLE audit_chain (
  position bigint PRIMARY KEY,
  entry_seq bigint NOT NULL,
  entry_id uuid NOT NULL UNIQUE,
  entry_mac text NOT NULL,
  linked_at timestamptz NOT NULL,
  link text NOT NULL                -- keyed, over the link before it and all columns
);

-- Where the chain begins when retention has taken its oldest part away; no row: at position 1.
CREATE TABLE audit_anchor (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  position bigint NOT NULL,         -- the last one that is gone
  link text NOT NULL,
  mac text NOT NULL                 -- keyed, over both
);

-- Entries whose personal data was erased.
CREATE TABLE audit_erasures (
  entry_id uuid PRIMARY KEY,
  erased_at timestamptz NOT NULL,
  mac text NOT NULL                 -- keyed, over this row and what is left of the entry
);

CREATE FUNCTION on_audit_entry() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO audit_queue (seq, entry_id, entry_mac) VALUES (NEW.seq, NEW.id, NEW.mac);
  RETURN NULL;
END $$;
CREATE TRIGGER audit_entry AFTER INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION on_audit_entry();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_entry;
INSERT INTO audit_queue (seq, entry_id, entry_mac) SELECT seq, id, mac FROM audit_log;

-- The two ways in which the log loses anything. The server's role may call them, and can neither change nor delete an entry
-- otherwise. Blanks only what has a record of its erasure:
CREATE FUNCTION erase_audit_entries(ids uuid[]) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  erased bigint;
BEGIN
  UPDATE audit_log SET actor = 'erased', target = 'erased', reason = '', ip_address = '', salt = NULL
    WHERE id = ANY (ids) AND EXISTS (SELECT FROM audit_erasures WHERE entry_id = audit_log.id);
  GET DIAGNOSTICS erased = ROW_COUNT;
  RETURN erased;
END $$;
-- and takes away the oldest part of the chain with its entries, never what is younger than thirty days:
CREATE FUNCTION purge_audit_log(up_to bigint, its_link text, anchor_mac text) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  purged bigint;
BEGIN
  IF EXISTS (SELECT FROM audit_chain WHERE position <= up_to AND linked_at > clock_timestamp() - interval '30 days') THEN
    RAISE EXCEPTION 'the audit log keeps what is younger than 30 days';
  END IF;
  DELETE FROM audit_erasures WHERE entry_id IN (SELECT entry_id FROM audit_chain WHERE position <= up_to);
  DELETE FROM audit_log WHERE id IN (SELECT entry_id FROM audit_chain WHERE position <= up_to);
  DELETE FROM audit_chain WHERE position <= up_to;
  GET DIAGNOSTICS purged = ROW_COUNT;
  INSERT INTO audit_anchor (position, link, mac) VALUES (up_to, its_link, anchor_mac)
    ON CONFLICT (one) DO UPDATE SET position = excluded.position, link = excluded.link, mac = excluded.mac;
  RETURN purged;
END $$;
REVOKE ALL ON FUNCTION erase_audit_entries(uuid[]), purge_audit_log(bigint, text, text) FROM PUBLIC;

-- API keys. A key acts for its owner, and is gone with them.
CREATE TABLE api_keys (
  id uuid PRIMARY KEY,
  key_hash text NOT NULL UNIQUE,    -- SHA-256 of the key
  name text NOT NULL,
  key_start text NOT NULL,          -- its first characters, to recognise it by
  owner uuid REFERENCES users (id) ON DELETE CASCADE,  -- none: made at the machine itself
  created_by text NOT NULL,         -- an actor, as in audit_log
  permissions text NOT NULL,        -- names with a space between them
  networks text NOT NULL,           -- CIDR blocks with a space between them; empty: usable from everywhere
  created_at timestamptz NOT NULL,
  expires_at timestamptz,           -- none: never
  last_used_at timestamptz,         -- to the minute
  last_used_from text NOT NULL DEFAULT '',
  revoked_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX api_keys_owner ON api_keys (owner);

-- Why and when a user was disabled: SQL by hand need not say so, and what enables forgets it.
ALTER TABLE users ADD COLUMN disabled_reason text;
ALTER TABLE users ADD COLUMN disabled_at timestamptz;
CREATE FUNCTION on_user_enabled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.disabled_reason := NULL;
  NEW.disabled_at := NULL;
  RETURN NEW;
END $$;
CREATE TRIGGER user_enabled BEFORE UPDATE OF is_active ON users FOR EACH ROW WHEN (NEW.is_active)
  EXECUTE FUNCTION on_user_enabled();
ALTER TABLE users ENABLE ALWAYS TRIGGER user_enabled;

-- Finding whom a leaked text names
--
-- A session that has ended is found by its id, and what the record has of a request by the id of the request.
CREATE INDEX ended_sessions_id ON ended_sessions (id);
CREATE INDEX audit_log_request ON audit_log (request_id);
