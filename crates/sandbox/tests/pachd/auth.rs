//! Auth: who may call what, asked with the client that the product uses.

use std::sync::Arc;

use pachyderm::client::{Address, Client, ClientOptions, Token};
use pachyderm::error::{Condition, Error};
use pachyderm::proto::admin::{ExtractRequest, Op};
use pachyderm::proto::op::OpKind;
use prost::Message;
use sandbox::pachd::objects::MemoryObjects;
use sandbox::pachd::{AuthOptions, AuthToken, PachdOptions, PachdServer, recorded};

use crate::client::metadata_only;

async fn serve() -> PachdServer {
    let recorded = recorded::load_alpha(Arc::new(MemoryObjects::default()), false).unwrap();
    let token = |token: &str, subject: &str| AuthToken { token: token.into(), subject: subject.into() };
    let auth = AuthOptions {
        root_token: "root-token".into(),
        admins: vec!["robot:backup".into()],
        tokens: vec![token("backup-token", "robot:backup"), token("reader-token", "robot:reader")],
    };
    PachdServer::start(recorded, PachdOptions { auth: Some(auth), ..PachdOptions::default() }).await.unwrap()
}

async fn client(server: &PachdServer, token: Option<&str>) -> Client {
    let address = Address::plaintext("127.0.0.1", server.external().port());
    let options = ClientOptions { token: token.map(Token::new), ..ClientOptions::default() };
    Client::connect(&address, &options).await.unwrap()
}

async fn extract(client: &Client, request: ExtractRequest) -> Result<Vec<Op>, Error> {
    let mut messages = client.extract(request).await?;
    let mut ops = Vec::new();
    while let Some(bytes) = messages.message().await? {
        ops.push(Op::decode(bytes).unwrap());
    }
    Ok(ops)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_known_token_nothing_but_the_version_is_told() {
    let server = serve().await;
    for (token, condition) in [(None, Condition::TokenMissing), (Some("wrong"), Condition::TokenInvalid)] {
        let client = client(&server, token).await;
        client.version().await.unwrap();
        assert_eq!(client.who_am_i().await.unwrap_err().condition(), condition);
        assert_eq!(extract(&client, metadata_only()).await.unwrap_err().condition(), condition);
        assert_eq!(client.get_enterprise_state().await.unwrap_err().condition(), condition);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_extracts() {
    let server = serve().await;
    let reader = client(&server, Some("reader-token")).await;
    let whoami = reader.who_am_i().await.unwrap();
    assert_eq!((whoami.username.as_str(), whoami.is_admin), ("robot:reader", false));
    let refused = extract(&reader, metadata_only()).await.unwrap_err();
    assert_eq!(refused.condition(), Condition::NotAdmin);
    assert!(refused.to_string().contains("must be an admin to call Extract"), "{refused}");
    for (token, name) in [("backup-token", "robot:backup"), ("root-token", "pach:root")] {
        let admin = client(&server, Some(token)).await;
        let whoami = admin.who_am_i().await.unwrap();
        assert_eq!((whoami.username.as_str(), whoami.is_admin), (name, true));
        assert!(extract(&admin, metadata_only()).await.unwrap().len() > 198);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extract_has_operations_of_auth_only_when_it_is_on() {
    let of_auth = [
        OpKind::CheckAuthToken,
        OpKind::ActivateAuth,
        OpKind::RestoreAuthToken,
        OpKind::SetClusterRoleBinding,
        OpKind::SetAuthConfig,
        OpKind::SetAcl,
    ];
    let counts = |ops: &[Op]| of_auth.map(|kind| ops.iter().filter(|op| op.kind() == Some(kind)).count());
    let server = serve().await;
    let admin = client(&server, Some("backup-token")).await;
    let ops = extract(&admin, metadata_only()).await.unwrap();
    assert_eq!(ops[0].kind(), Some(OpKind::CheckAuthToken));
    // Two robots, two administrators, and the lists of 22 repos.
    assert_eq!(counts(&ops), [1, 1, 2, 2, 1, 22]);
    assert_eq!(ops.len(), 198 + 29);
    let without = ExtractRequest { no_auth: true, ..metadata_only() };
    let ops = extract(&admin, without).await.unwrap();
    assert_eq!((counts(&ops), ops.len()), ([0; 6], 198));

    let open = crate::client::serve(false).await;
    let anyone = client(&open, None).await;
    assert_eq!(anyone.who_am_i().await.unwrap_err().condition(), Condition::AuthNotActivated);
    let ops = extract(&anyone, metadata_only()).await.unwrap();
    assert_eq!((counts(&ops), ops.len()), ([0; 6], 198));
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_that_is_being_switched_refuses_everybody() {
    let server = serve().await;
    let key = sandbox::pachd::state::State::key("pachyderm_auth/admins", "magic:switching");
    server.state().store.put(key, Vec::new());
    let admin = client(&server, Some("backup-token")).await;
    assert_eq!(admin.who_am_i().await.unwrap_err().condition(), Condition::AuthPartiallyActivated);
}
