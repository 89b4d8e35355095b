-- Who may do what, and the record of it.

-- The audit chain
--
-- What is personal in an entry is under a commitment of its own, so that it can be erased and the rest stays verifiable.
-- Entries from before keep their MAC over everything: their `personal` is empty.
ALTER TABLE audit_log ADD COLUMN salt TEXT;                          -- random, of the commitment; none once erased
ALTER TABLE audit_log ADD COLUMN personal TEXT NOT NULL DEFAULT '';  -- commitment to salt, actor, target, reason, ip_address
CREATE INDEX audit_log_actor ON audit_log (actor, id);
CREATE INDEX audit_log_target ON audit_log (target, id);

-- Entries that are committed and not yet in the chain: a trigger puts them here, the sequencer takes them away.
CREATE TABLE audit_queue (
  seq INTEGER PRIMARY KEY,          -- of the entry
  entry_id TEXT NOT NULL,
  entry_mac TEXT NOT NULL
);

-- Each entry once, in the order in which it was linked. Positions have no gaps.
CREATE TABLE audit_chain (
  position INTEGER PRIMARY KEY,
  entry_seq INTEGER NOT NULL,
  entry_id TEXT NOT NULL UNIQUE,
  entry_mac TEXT NOT NULL,
  linked_at TEXT NOT NULL,
  link TEXT NOT NULL                -- keyed, over the link before it and all columns
);

-- Where the chain begins when retention has taken its oldest part away; no row: at position 1.
CREATE TABLE audit_anchor (
  one INTEGER PRIMARY KEY DEFAULT 1 CHECK (one = 1),
  position INTEGER NOT NULL,        -- the last one that is gone
  link TEXT NOT NULL,
  mac TEXT NOT NULL                 -- keyed, over both
);

-- Entries whose personal data was erased.
CREATE TABLE audit_erasures (
  entry_id TEXT PRIMARY KEY,
  erased_at TEXT NOT NULL,
  mac TEXT NOT NULL                 -- keyed, over this row and what is left of the entry
) WITHOUT ROWID;

CREATE TRIGGER audit_entry AFTER INSERT ON audit_log FOR EACH ROW BEGIN
  INSERT INTO audit_queue (seq, entry_id, entry_mac) VALUES (NEW.seq, NEW.id, NEW.mac);
END;
INSERT INTO audit_queue (seq, entry_id, entry_mac) SELECT seq, id, mac FROM audit_log;

-- API keys. A key acts for its owner, and is gone with them.
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  key_hash TEXT NOT NULL UNIQUE,    -- SHA-256 of the key
  name TEXT NOT NULL,
  key_start TEXT NOT NULL,          -- its first characters, to recognise it by
  owner TEXT REFERENCES users (id) ON DELETE CASCADE,  -- none: made at the machine itself
  created_by TEXT NOT NULL,         -- an actor, as in audit_log
  permissions TEXT NOT NULL,        -- names with a space between them
  networks TEXT NOT NULL,           -- CIDR blocks with a space between them; empty: usable from everywhere
  created_at TEXT NOT NULL,
  expires_at TEXT,                  -- none: never
  last_used_at TEXT,                -- to the minute
  last_used_from TEXT NOT NULL DEFAULT '',
  revoked_at TEXT
) WITHOUT ROWID;
CREATE INDEX api_keys_owner ON api_keys (owner);

-- Not left to the foreign key: a raw shell has foreign keys off.
CREATE TRIGGER user_deleted_with_keys BEFORE DELETE ON users BEGIN
  DELETE FROM api_keys WHERE owner = OLD.id;
END;

-- Why and when a user was disabled: SQL by hand need not say so, and what enables forgets it.
ALTER TABLE users ADD COLUMN disabled_reason TEXT;
ALTER TABLE users ADD COLUMN disabled_at TEXT;
CREATE TRIGGER user_enabled AFTER UPDATE OF is_active ON users WHEN NEW.is_active AND NEW.disabled_at IS NOT NULL BEGIN
  UPDATE users SET disabled_reason = NULL, disabled_at = NULL WHERE id = NEW.id;
END;

-- Finding whom a leaked text names
--
-- A session that has ended is found by its id, and what the record has of a request by the id of the request.
CREATE INDEX ended_sessions_id ON ended_sessions (id);
CREATE INDEX audit_log_request ON audit_log (request_id);
