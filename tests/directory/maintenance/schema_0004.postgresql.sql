CREATE TABLE approvals (
    name VARCHAR(64) NOT NULL,
    content VARCHAR NOT NULL,
    expires FLOAT NOT NULL,
    PRIMARY KEY (name)
);
CREATE INDEX ix_approvals_expires ON approvals (expires);
CREATE TABLE contact_terms (
    tenant INTEGER NOT NULL,
    kind VARCHAR(4) NOT NULL,
    term VARCHAR COLLATE "C" NOT NULL,
    contact_seq BIGINT NOT NULL,
    signature BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, term, contact_seq, signature)
);
CREATE TABLE counters (
    tenant INTEGER NOT NULL,
    kind VARCHAR(4) NOT NULL,
    term VARCHAR COLLATE "C" NOT NULL,
    slot SMALLINT NOT NULL,
    live BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, term, slot)
);
CREATE TABLE nonces (
    nonce VARCHAR(64) NOT NULL,
    expires FLOAT NOT NULL,
    PRIMARY KEY (nonce)
);
CREATE INDEX ix_nonces_expires ON nonces (expires);
CREATE TABLE receipt_chain (
    id INTEGER NOT NULL,
    length BIGINT NOT NULL,
    hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE receipts (
    seq BIGINT NOT NULL,
    contact_id VARCHAR(36) NOT NULL,
    tenant INTEGER NOT NULL,
    erased_at VARCHAR(27) NOT NULL,
    actor VARCHAR(255) NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    fields JSON NOT NULL,
    previous VARCHAR(64) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (contact_id)
);
CREATE TABLE spellings (
    tenant INTEGER NOT NULL,
    form VARCHAR COLLATE "C" NOT NULL,
    word VARCHAR COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, form, word)
);
CREATE TABLE tenants (
    seq SERIAL NOT NULL,
    name VARCHAR(255) NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (name)
);
CREATE TABLE api_keys (
    seq SERIAL NOT NULL,
    tenant INTEGER NOT NULL,
    prefix VARCHAR(16) NOT NULL,
    hash VARCHAR(64) NOT NULL,
    name VARCHAR(255) NOT NULL,
    scopes JSON NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    revoked_at VARCHAR(27),
    last_used_at VARCHAR(27),
    PRIMARY KEY (seq),
    FOREIGN KEY(tenant) REFERENCES tenants (seq),
    UNIQUE (prefix)
);
CREATE TABLE contact_groups (
    seq BIGSERIAL NOT NULL,
    tenant INTEGER NOT NULL,
    id VARCHAR(36) NOT NULL,
    name VARCHAR(255) NOT NULL,
    description VARCHAR,
    created_at VARCHAR(27) NOT NULL,
    previous_name VARCHAR(255),
    renamed_at VARCHAR(27),
    PRIMARY KEY (tenant, seq),
    UNIQUE (id, tenant),
    FOREIGN KEY(tenant) REFERENCES tenants (seq)
);
CREATE INDEX ix_contact_groups_tenant ON contact_groups (tenant);
CREATE TABLE contacts (
    seq BIGSERIAL NOT NULL,
    tenant INTEGER NOT NULL,
    id VARCHAR(36) NOT NULL,
    type VARCHAR(7),
    name VARCHAR(255),
    company_name VARCHAR(255),
    phone_number VARCHAR(64),
    phone_digits VARCHAR,
    email VARCHAR(320),
    tags JSON,
    words VARCHAR,
    notes VARCHAR,
    created_at VARCHAR(27) NOT NULL,
    updated_at VARCHAR(27) NOT NULL,
    deleted_at VARCHAR(27),
    erased_at VARCHAR(27),
    merged_into VARCHAR(36),
    PRIMARY KEY (tenant, seq),
    UNIQUE (id, tenant),
    FOREIGN KEY(tenant) REFERENCES tenants (seq)
);
CREATE INDEX contacts_deleted ON contacts (tenant, deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX contacts_live ON contacts (tenant, seq, type) WHERE deleted_at IS NULL;
CREATE INDEX contacts_merged ON contacts (tenant, merged_into) WHERE merged_into IS NOT NULL;
CREATE TABLE idempotency_keys (
    tenant INTEGER NOT NULL,
    key_hash VARCHAR(64) NOT NULL,
    request_hash VARCHAR(64) NOT NULL,
    record_id VARCHAR(36) NOT NULL,
    expires FLOAT NOT NULL,
    PRIMARY KEY (tenant, key_hash),
    FOREIGN KEY(tenant) REFERENCES tenants (seq)
);
CREATE INDEX idempotency_keys_expire ON idempotency_keys (tenant, expires);
CREATE INDEX idempotency_keys_of ON idempotency_keys (tenant, record_id);
CREATE TABLE undo_entries (
    tenant INTEGER NOT NULL,
    receipt_hash VARCHAR(64) NOT NULL,
    contact_seq BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (tenant, receipt_hash, contact_seq),
    FOREIGN KEY(tenant) REFERENCES tenants (seq)
);
CREATE INDEX undo_entries_of ON undo_entries (tenant, contact_seq);
CREATE TABLE undo_receipts (
    tenant INTEGER NOT NULL,
    receipt_hash VARCHAR(64) NOT NULL,
    contacts INTEGER NOT NULL,
    size BIGINT NOT NULL,
    is_full BOOLEAN NOT NULL,
    expires FLOAT NOT NULL,
    PRIMARY KEY (tenant, receipt_hash),
    FOREIGN KEY(tenant) REFERENCES tenants (seq)
);
CREATE TABLE memberships (
    seq BIGSERIAL NOT NULL,
    group_seq BIGINT NOT NULL,
    contact_seq BIGINT NOT NULL,
    tenant INTEGER NOT NULL,
    PRIMARY KEY (tenant, seq),
    UNIQUE (tenant, group_seq, contact_seq),
    FOREIGN KEY(tenant, group_seq) REFERENCES contact_groups (tenant, seq),
    FOREIGN KEY(tenant, contact_seq) REFERENCES contacts (tenant, seq)
);
CREATE INDEX memberships_of ON memberships (tenant, contact_seq);
CREATE INDEX contacts_phones ON contacts USING gin (phone_digits gin_trgm_ops) WHERE deleted_at IS NULL;
ALTER TABLE undo_entries ALTER sealed SET STATISTICS 0;
CREATE TABLE directory_revision (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO directory_revision VALUES ('0004');
INSERT INTO tenants (seq, name, created_at) VALUES (1, 'owner', '2026-01-01T00:00:00.000000Z');
INSERT INTO receipt_chain (id, length, hash) VALUES (1, 0, '');
