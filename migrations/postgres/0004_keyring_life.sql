-- The life of the keys, and what is sealed with the master key beside them.

-- None: since the key was made.
ALTER TABLE keys ADD COLUMN state_since timestamptz;
-- next: when it is to become active (none: at the next rotation); verifying: until when it verifies.
ALTER TABLE keys ADD COLUMN state_until timestamptz;
CREATE UNIQUE INDEX keys_next ON keys (purpose) WHERE state = 'next';

-- Whatever changes a key, nodes hear of it as they do of revocations.
CREATE FUNCTION on_keys_changed() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM notify_readers();
  RETURN NULL;
END $$;
CREATE TRIGGER keys_changed AFTER INSERT OR UPDATE OR DELETE ON keys FOR EACH STATEMENT EXECUTE FUNCTION on_keys_changed();
ALTER TABLE keys ENABLE ALWAYS TRIGGER keys_changed;

-- What other keys are derived from, sealed with the master key.
CREATE TABLE root_secret (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  sealed text NOT NULL,
  created_at timestamptz NOT NULL
);

-- The master keys that have sealed anything here, by their fingerprints.
CREATE TABLE master_keys (
  fingerprint text PRIMARY KEY,
  first_used_at timestamptz NOT NULL
);
