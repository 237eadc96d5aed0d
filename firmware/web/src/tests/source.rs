//! The settings of a domain's external directory: what comes out, what stays, what the test button says.

use serde_json::json;

use super::office::Office;

const AT: &str = "/api/admin/domains/office.test/source";

#[tokio::test]
async fn the_password_goes_in_stays_with_its_place_and_never_comes_out() {
    let office = Office::ready().await;
    let mut admin = office.signed_in("admin", "correct horse").await;
    assert_eq!(admin.get(AT).await.status, 404);
    assert_eq!(admin.get("/api/admin/domains/none.test/source").await.status, 404);
    let settings = json!({
        "preset": "active-directory", "url": "ldap://127.0.0.1:1", "tls": "none",
        "bind_dn": "cn=box,dc=ad,dc=test", "bind_password": "very-secret", "base": "dc=ad,dc=test",
    });
    let set = admin.send("PUT", AT, Some(settings.clone())).await;
    assert_eq!(set.status, 200, "{set:?}");
    let shown = admin.get(AT).await;
    assert_eq!(shown.json["password_set"], true);
    assert_eq!(shown.json["url"], "ldap://127.0.0.1:1");
    assert_eq!(shown.json["effective"]["id"], "objectGUID");
    assert!(!format!("{set:?}{shown:?}").contains("very-secret"));

    // Not named: it stays, unless it would be sent elsewhere.
    let mut again = settings.clone();
    again.as_object_mut().unwrap().remove("bind_password");
    assert_eq!(admin.send("PUT", AT, Some(again.clone())).await.status, 200);
    again["url"] = json!("ldap://127.0.0.1:2");
    let moved = admin.send("PUT", AT, Some(again)).await;
    assert_eq!(moved.error(), (422, "password-missing"));
    assert_eq!(moved.json["field"], "bind_password");

    // Nobody listens there: the step and the reason are told, without the password.
    let tested = admin.send("POST", &format!("{AT}/test"), None).await;
    assert_eq!(tested.json["ok"], false, "{tested:?}");
    assert_eq!(
        (&tested.json["stage"], &tested.json["reason"]),
        (&json!("connect"), &json!("connection-refused"))
    );
    assert!(!format!("{tested:?}").contains("very-secret"));
    let status = admin.get(&format!("{AT}/status")).await;
    assert_eq!((status.status.as_u16(), &status.json["result"]), (200, &json!(null)));

    let log = admin.get("/api/admin/audit?action=source").await;
    let log = format!("{log:?}");
    assert!(log.contains("bind_password") && !log.contains("very-secret"), "{log}");
    assert_eq!(admin.send("DELETE", AT, None).await.status, 204);
    assert_eq!(admin.send("DELETE", AT, None).await.status, 404);
}
