-- SQLite cannot drop a NOT NULL from a column: build the table anew.
CREATE TABLE contacts_new (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT,
    phone TEXT NOT NULL DEFAULT '',
    phone_ext TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT ''
);

INSERT INTO contacts_new (id, name, email, phone)
SELECT id, name, email, phone
FROM contacts;

DROP TABLE contacts;

ALTER TABLE contacts_new RENAME TO contacts;

CREATE INDEX contacts_name ON contacts (name);
