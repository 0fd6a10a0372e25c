//! The HTTP side: connections, who asks, faults, and which action answers.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http1;

use super::answer::{self, Refused, Xml};
use super::faults::{Ec2Fault, Effect};
use super::lock;
use super::parameters::Parameters;
use super::state::{Call, State};

/// The largest body of a request.
const BODY_LIMIT: usize = 1 << 20;

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped, as a fault asks for")]
struct Dropped;

/// Serves connections until `stop`.
pub(super) async fn run(state: Arc<Mutex<State>>, listener: TcpListener, stop: CancellationToken) {
    http1::serve(listener, stop, move |request| serve(state.clone(), request)).await;
}

async fn serve(state: Arc<Mutex<State>>, request: Request<Incoming>) -> Result<Response, Dropped> {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let authorization = authorization.unwrap_or_default().to_owned();
    let Ok(body) = Limited::new(request.into_body(), BODY_LIMIT).collect().await else {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
    };
    let mut parameters = Parameters::read(&body.to_bytes());
    let mut state = lock(&state);
    let sent = parameters.all().clone();
    let action = parameters.take("Action").unwrap_or_default();
    let request = format!("sandbox-{}", state.calls.len() + 1);
    let effect = Ec2Fault::take(&mut state.faults, &action);
    let result = match effect {
        Some(Effect::DropConnection) => None,
        Some(Effect::LoseReply) => {
            let _ = state.answer(&action, &authorization, parameters);
            None
        }
        Some(Effect::Status(status)) => {
            let mut response = Response::new(Body::from("<html>not now</html>"));
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            state.calls.push(Call { action, parameters: sent, answer: Some((status, None)) });
            return Ok(response);
        }
        Some(Effect::Refuse(refused)) => Some(Err(refused)),
        None => Some(state.answer(&action, &authorization, parameters)),
    };
    let told = result.as_ref().map(|result| match result {
        Ok(_) => (200, None),
        Err(refused) => (refused.status, Some(refused.code.clone())),
    });
    state.calls.push(Call { action: action.clone(), parameters: sent, answer: told });
    drop(state);
    result.map(|result| answer::response(&action, &request, result)).ok_or(Dropped)
}

impl State {
    /// Carries a request out.
    fn answer(&mut self, action: &str, authorization: &str, mut parameters: Parameters) -> Result<Xml, Refused> {
        self.authenticate(authorization)?;
        let version = parameters.need("Version")?;
        if version != "2016-11-15" {
            let message = format!("The action {action} is not valid for version {version}");
            return Err(Refused::bad("InvalidAction", message));
        }
        self.authorize(action, &parameters)?;
        if parameters.is_true("DryRun") {
            let message = "Request would have succeeded, but DryRun flag is set.";
            return Err(Refused::new(412, "DryRunOperation", message));
        }
        match action {
            "CreateSnapshot" => self.create_snapshot(&mut parameters),
            "DescribeSnapshots" => self.describe_snapshots(&mut parameters),
            "DeleteSnapshot" => self.delete_snapshot(&mut parameters),
            "CreateVolume" => self.create_volume(&mut parameters),
            "DescribeVolumes" => self.describe_volumes(&mut parameters),
            "CreateTags" => self.create_tags(&mut parameters),
            _ => Err(Refused::bad("InvalidAction", format!("The action {action} is not valid for this web service."))),
        }
    }

    fn authenticate(&self, authorization: &str) -> Result<(), Refused> {
        let scope = authorization.split_once("Credential=").map(|(_, rest)| rest.split(',').next().unwrap_or_default());
        let mut parts = scope.unwrap_or_default().split('/');
        let (key, region) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
        if key != self.options.access_key {
            let message = "AWS was not able to validate the provided access credentials";
            return Err(Refused::new(401, "AuthFailure", message));
        }
        if region != self.options.region {
            let message = format!("Credential should be scoped to a valid region, not '{region}'.");
            return Err(Refused::new(403, "SignatureDoesNotMatch", message));
        }
        if self.expired {
            return Err(Refused::bad("RequestExpired", "Request has expired."));
        }
        Ok(())
    }

    fn authorize(&self, action: &str, parameters: &Parameters) -> Result<(), Refused> {
        let tags = parameters.all().contains_key("TagSpecification.1.ResourceType");
        let needed = [Some(action), (tags && action != "CreateTags").then_some("CreateTags")];
        for action in needed.into_iter().flatten().map(|action| format!("ec2:{action}")) {
            let granted = self.granted_actions.as_ref().is_none_or(|granted| granted.contains(&action));
            if !granted || self.denied_actions.contains(&action) {
                let message = format!(
                    "You are not authorized to perform this operation. User: arn:aws:iam::{}:user/sandbox is not authorized to perform: \
                     {action} on resource: * because no identity-based policy allows the {action} action",
                    self.options.account
                );
                return Err(Refused::new(403, "UnauthorizedOperation", message));
            }
        }
        Ok(())
    }
}
