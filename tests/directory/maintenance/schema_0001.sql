-- A directory as version 0.1.0 wrote it before revisions were noted (by `iterdump`).
PRAGMA application_id = 1464025940;
BEGIN TRANSACTION;
CREATE TABLE contact_groups (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	description VARCHAR, 
	created_at VARCHAR(27) NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "contact_groups" VALUES(1,'582f738d-ea98-461f-975c-7d94eb2369c8','VIP','x','2026-11-24T15:37:54.738893Z');
CREATE TABLE contact_terms (
	kind VARCHAR(4) NOT NULL, 
	term VARCHAR NOT NULL, 
	contact_seq INTEGER NOT NULL, 
	PRIMARY KEY (kind, term, contact_seq), 
	FOREIGN KEY(contact_seq) REFERENCES contacts (seq)
)
 WITHOUT ROWID

;
INSERT INTO "contact_terms" VALUES('tag','oslo',1);
INSERT INTO "contact_terms" VALUES('tag','vip',1);
INSERT INTO "contact_terms" VALUES('word','com',1);
INSERT INTO "contact_terms" VALUES('word','example',1);
INSERT INTO "contact_terms" VALUES('word','example.com',1);
INSERT INTO "contact_terms" VALUES('word','nordmann',1);
INSERT INTO "contact_terms" VALUES('word','ola',1);
INSERT INTO "contact_terms" VALUES('word','ola@example.com',1);
INSERT INTO "contact_terms" VALUES('word','bageri',2);
INSERT INTO "contact_terms" VALUES('word','kjaer',2);
CREATE TABLE contacts (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id VARCHAR(36) NOT NULL, 
	type VARCHAR(7), 
	name VARCHAR(255), 
	company_name VARCHAR(255), 
	phone_number VARCHAR(64), 
	phone_digits VARCHAR(64), 
	email VARCHAR(320), 
	tags JSON, 
	notes VARCHAR, 
	created_at VARCHAR(27) NOT NULL, 
	updated_at VARCHAR(27) NOT NULL, 
	deleted_at VARCHAR(27), 
	erased_at VARCHAR(27), 
	erasure_reason VARCHAR(1000), 
	erased_fields JSON, 
	UNIQUE (id)
);
INSERT INTO "contacts" VALUES(1,'b4d04c0a-603a-428a-87e7-8c41e6ea9f49','person','Ola Nordmann',NULL,'+4799999999','4799999999','ola@example.com','["vip", "Oslo"]','Met in May','2026-11-24T15:37:54.666382Z','2026-11-24T15:37:54.666382Z',NULL,NULL,NULL,NULL);
INSERT INTO "contacts" VALUES(2,'dbde060b-8b67-4970-aaa6-fbf5523dc756','company','Kjær Bageri',NULL,NULL,NULL,NULL,'[]',NULL,'2026-11-24T15:37:54.707016Z','2026-11-24T15:37:54.707016Z',NULL,NULL,NULL,NULL);
INSERT INTO "contacts" VALUES(3,'71636073-8a3f-4948-9d6a-109349651bea','person','Gone Away',NULL,NULL,NULL,'gone@example.com','[]',NULL,'2026-11-24T15:37:54.717681Z','2026-11-24T15:37:54.717681Z','2026-11-24T15:37:54.776851Z',NULL,NULL,NULL);
INSERT INTO "contacts" VALUES(4,'943765cc-b563-43af-a914-e92306327a9d',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-24T15:37:54.722775Z','2026-11-24T15:37:54.783082Z','2026-11-24T15:37:54.783082Z','2026-11-24T15:37:54.783082Z','first','["name", "phone_number"]');
INSERT INTO "contacts" VALUES(5,'7482cf81-acd6-4a04-971c-43673dbe2dc9',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-24T15:37:54.730940Z','2026-11-24T15:37:54.792353Z','2026-11-24T15:37:54.792353Z','2026-11-24T15:37:54.792353Z','second','["name", "tags"]');
CREATE TABLE memberships (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	group_seq INTEGER NOT NULL, 
	contact_seq INTEGER NOT NULL, 
	UNIQUE (group_seq, contact_seq), 
	FOREIGN KEY(group_seq) REFERENCES contact_groups (seq), 
	FOREIGN KEY(contact_seq) REFERENCES contacts (seq)
);
INSERT INTO "memberships" VALUES(1,1,1);
INSERT INTO "memberships" VALUES(2,1,2);
CREATE TABLE spent (
	nonce VARCHAR(64) NOT NULL, 
	expires FLOAT NOT NULL, 
	PRIMARY KEY (nonce)
)
 WITHOUT ROWID

;
CREATE INDEX contacts_live ON contacts (type, seq) WHERE deleted_at IS NULL;
CREATE INDEX contacts_live_phones ON contacts (phone_digits, seq) WHERE deleted_at IS NULL;
CREATE INDEX ix_spent_expires ON spent (expires);
CREATE INDEX contact_terms_of ON contact_terms (contact_seq, kind, term);
CREATE INDEX memberships_of ON memberships (contact_seq);
COMMIT;
