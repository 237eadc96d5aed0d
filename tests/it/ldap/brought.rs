//! People who come from another server with the passwords that it kept.

use anyhow::{Result, ensure};

use super::{Office, person};

/// "secret", as servers keep it: made by `openssl passwd`, crypt(3) and `hashlib`, not by us.
const KEPT: &[(&str, &str)] = &[
    ("ssha", "{SSHA}1G904nLkTkGWjKNnQuB/hpWXC/hzYWx0c2FsdA=="),
    (
        "ssha512",
        "{SSHA512}aCu7JRc+kLsuEmFs1zTY+AiP7DSGnjjG+dH28Dp+E5usqoAixeTPihKqZmkWal4mUfp63tqvCAkFV1LKTDFH6XNhbHRzYWx0",
    ),
    ("smd5", "{SMD5}mc0uWpXVVe5747A4pKhGJXNhbHQ="),
    ("md5", "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ=="),
    ("crypt1", "{CRYPT}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1"),
    ("crypt2b", "{crypt}$2b$08$abcdefghijklmnopqrstuuKxCcvB7KZ7.BpDoK0bh6qM7Dl1/xiJa"),
    ("crypt5", "{CRYPT}$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA"),
    ("crypty", "{CRYPT}$y$j9T$saltsaltsalt$AnbE4uovRUrp5W/7h65lVXbBxJijULPRqRjd39xI5w9"),
];

/// SCRAM works from the second login on: the first one shows the password, of which ours is made.
#[test]
fn passwords_that_come_hashed_are_ours_after_the_first_login() -> Result<()> {
    let office = Office::new();
    for (at, (name, kept)) in KEPT.iter().enumerate() {
        office.admin("ldapadd", &[], &person(name, &format!("userPassword: {kept}\n"))).must_be(0);
        let who = format!("{name}@office.test");
        let scram = ["-Y", "SCRAM-SHA-256", "-U", &who, "-w", "secret"];
        // Once: whoever fails again and again waits.
        if at == 0 {
            let said = office.run("ldapwhoami", &scram, &[], "");
            ensure!(said.code != 0, "{}", said.out);
            office.person(name, "wrong", "ldapwhoami", &[]).must_be(49);
        }
        office.person(name, "secret", "ldapwhoami", &[]).must_be(0);
        office.run("ldapwhoami", &scram, &[], "").must_be(0);
    }
    // What nobody can check, and what would hold a core: told what can come instead.
    for bad in ["{CRYPT}ab01FAX.bQRSU", "{SASL}zora", "{CRYPT}$6$rounds=999999999$abcdefgh$x"] {
        let said = office.admin("ldapadd", &[], &person("zora", &format!("userPassword: {bad}\n")));
        said.must_be(19).tells("{SSHA512}");
    }
    Ok(())
}
