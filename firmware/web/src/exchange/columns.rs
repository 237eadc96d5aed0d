//! What the columns of a table are called: by us, by LDAP, by the exports of Google Workspace and Microsoft
//! 365, and by people in five languages.

use directory::schema;

/// What a column is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Address,
    Name,
    Password,
    Aliases,
    QuotaMb,
    Status,
    Role,
    Language,
    /// An attribute of the entry, by its key.
    Attribute(&'static str),
}

/// Given name and surname: some languages call one of them just "name".
const GIVEN: Field = Field::Attribute("givenname");
const SURNAME: Field = Field::Attribute("sn");

/// Words as [`word`] leaves them. What stands for several things is in [`settle`].
const WORDS: &[(Field, &[&str])] = &[
    (
        Field::Address,
        &[
            "address",
            "email",
            "mail",
            "emailaddress",
            "mailaddress",
            "primaryemail",
            "login",
            "userprincipalname",
            "emailadresse",
            "mailadresse",
            "adresseemail",
            "adressemail",
            "adressedemessagerie",
            "courriel",
            "indirizzoemail",
            "indirizzodipostaelettronica",
            "postaelettronica",
            "correo",
            "correoelectronico",
            "direcciondecorreo",
            "direcciondecorreoelectronico",
            "username",
            "benutzername",
        ],
    ),
    (
        Field::Name,
        &[
            "name",
            "displayname",
            "fullname",
            "cn",
            "commonname",
            "anzeigename",
            "vollstandigername",
            "nomcomplet",
            "nomaffiche",
            "nomdaffichage",
            "nomecompleto",
            "nomevisualizzato",
            "nombrecompleto",
            "nombreparamostrar",
            "nombremostrado",
        ],
    ),
    (GIVEN, &["firstname", "givenname", "forename", "vorname", "prenom", "nombredepila"]),
    (
        SURNAME,
        &[
            "lastname",
            "surname",
            "familyname",
            "sn",
            "nachname",
            "familienname",
            "zuname",
            "nomdefamille",
            "cognome",
            "apellido",
            "apellidos",
        ],
    ),
    (
        Field::Password,
        &["password", "passwort", "kennwort", "motdepasse", "paroladordine", "contrasena"],
    ),
    (
        Field::Aliases,
        &[
            "aliases",
            "alias",
            "furtheraddresses",
            "proxyaddresses",
            "emailaliases",
            "weitereadressen",
            "autresadresses",
            "altriindirizzi",
            "otrasdirecciones",
        ],
    ),
    (Field::QuotaMb, &["quotamb", "quota", "speicherplatzmb", "quotamo"]),
    (Field::Status, &["status", "stato", "statut", "estado"]),
    (Field::Role, &["role", "rolle", "ruolo", "rol"]),
    (Field::Language, &["language", "preferredlanguage", "sprache", "langue", "lingua", "idioma"]),
    (
        Field::Attribute("telephonenumber"),
        &[
            "telephone",
            "phone",
            "phonenumber",
            "workphone",
            "officephone",
            "businessphone",
            "telefon",
            "telefonnummer",
            "rufnummer",
            "telefongeschaftlich",
            "telefono",
            "tel",
            "numerodetelephone",
            "numeroditelefono",
            "numerodetelefono",
        ],
    ),
    (
        Field::Attribute("mobile"),
        &[
            "mobile",
            "mobilephone",
            "cellphone",
            "handy",
            "handynummer",
            "mobiltelefon",
            "mobil",
            "portable",
            "telephoneportable",
            "cellulare",
            "movil",
            "telefonomovil",
        ],
    ),
    (
        Field::Attribute("facsimiletelephonenumber"),
        &["fax", "faxnumber", "telefax", "telecopie", "faxnummer"],
    ),
    (Field::Attribute("homephone"), &["homephone", "telefonprivat", "telephoneprive"]),
    (
        Field::Attribute("title"),
        &[
            "title",
            "jobtitle",
            "employeetitle",
            "position",
            "funktion",
            "stellenbezeichnung",
            "fonction",
            "poste",
            "qualifica",
            "mansione",
            "cargo",
            "puesto",
        ],
    ),
    (
        Field::Attribute("ou"),
        &["department", "abteilung", "service", "departement", "reparto", "departamento"],
    ),
    (
        Field::Attribute("o"),
        &[
            "company",
            "organization",
            "organisation",
            "firma",
            "unternehmen",
            "societe",
            "entreprise",
            "azienda",
            "societa",
            "ditta",
            "empresa",
        ],
    ),
    (
        Field::Attribute("physicaldeliveryofficename"),
        &["office", "buro", "bureau", "ufficio", "oficina"],
    ),
    (
        Field::Attribute("street"),
        &["street", "streetaddress", "workaddress", "strasse", "rue", "via", "calle"],
    ),
    (Field::Attribute("l"), &["city", "ort", "stadt", "wohnort", "ville", "citta", "ciudad"]),
    (
        Field::Attribute("postalcode"),
        &[
            "postalcode",
            "zip",
            "zipcode",
            "postcode",
            "plz",
            "postleitzahl",
            "codepostal",
            "cap",
            "codigopostal",
        ],
    ),
    (Field::Attribute("st"), &["state", "stateorprovince", "province", "region", "bundesland"]),
    (
        Field::Attribute("employeenumber"),
        &["employeeid", "personalnummer", "matricule", "matricola", "numerodeempleado"],
    ),
    (
        Field::Attribute("description"),
        &[
            "notes",
            "note",
            "comment",
            "bemerkung",
            "bemerkungen",
            "notiz",
            "notizen",
            "remarque",
            "remarques",
            "commentaire",
            "osservazioni",
            "observaciones",
            "notas",
        ],
    ),
];

/// Surname in French, given name in Italian and Spanish: as the other columns are.
const SURNAME_OR_NAME: [&str; 1] = ["nom"];
const GIVEN_OR_NAME: [&str; 2] = ["nome", "nombre"];

/// What is compared of a heading: letters and digits without case and accents, up to a bracket
/// (`First Name [Required]`).
fn word(heading: &str) -> String {
    let heading = heading.split('[').next().unwrap_or_default().trim().to_lowercase();
    let plain = directory::matching::without_accents(heading.replace('ß', "ss").as_bytes());
    let plain = String::from_utf8_lossy(&plain).into_owned();
    plain.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn field(heading: &str) -> Option<Field> {
    let word = word(heading);
    let known = WORDS.iter().find(|(_, words)| words.contains(&word.as_str()));
    known.map(|(field, _)| *field).or_else(|| attribute(heading.trim()))
}

/// An attribute by its name in LDAP, if people write it.
fn attribute(name: &str) -> Option<Field> {
    let attribute = schema::attribute(name)?;
    let key = attribute.key();
    let is_ours = key.starts_with("postroom") || OURS.contains(&key);
    let is_plain = !attribute.is_fixed && !is_ours && !session::rules::is_secret(key);
    is_plain.then_some(Field::Attribute(key))
}

/// What is said by fields of its own, or makes an entry another thing.
const OURS: [&str; 6] = ["objectclass", "uid", "mail", "maillocaladdress", "member", "memberof"];

/// The fields of all headings. One that comes twice counts where it stands first.
pub(crate) fn fields(headings: &[String]) -> Vec<Option<Field>> {
    let mut fields: Vec<Option<Field>> = headings.iter().map(|heading| field(heading)).collect();
    settle(headings, &mut fields);
    let mut seen = Vec::new();
    for field in &mut fields {
        if let Some(known) = field {
            if seen.contains(known) {
                *field = None;
            } else {
                seen.push(*known);
            }
        }
    }
    fields
}

/// What one word means depends on the other words.
fn settle(headings: &[String], fields: &mut [Option<Field>]) {
    let words: Vec<String> = headings.iter().map(|heading| word(heading)).collect();
    let has = |fields: &[Option<Field>], wanted| fields.contains(&Some(wanted));
    for (at, word) in words.iter().enumerate() {
        let meant = if SURNAME_OR_NAME.contains(&word.as_str()) {
            if has(fields, GIVEN) { SURNAME } else { Field::Name }
        } else if GIVEN_OR_NAME.contains(&word.as_str()) {
            if has(fields, SURNAME) { GIVEN } else { Field::Name }
        } else if word == "name" && has(fields, GIVEN) && !has(fields, SURNAME) {
            SURNAME
        } else {
            continue;
        };
        if let Some(field) = fields.get_mut(at) {
            *field = Some(meant);
        }
    }
}

/// What we call a field: the name of our column.
pub(crate) fn name(field: Field) -> &'static str {
    match field {
        Field::Address => "address",
        Field::Name => "name",
        Field::Password => "password",
        Field::Aliases => "aliases",
        Field::QuotaMb => "quota_mb",
        Field::Status => "status",
        Field::Role => "role",
        Field::Language => "language",
        Field::Attribute(key) => schema::attribute(key).map_or(key, schema::AttributeType::name),
    }
}
