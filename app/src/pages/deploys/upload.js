// Sends the zip of a new deploy by itself and shows how far it is; the form then goes on without it.
// Without this the browser sends both together.
const PATIENCE = 250000; // The server's time for an upload is 4 minutes.
const form = document.getElementById("new-deploy");
const file = document.getElementById("zip");
const bar = document.getElementById("upload-progress");
const part = (name) => document.querySelector(`[data-upload="${name}"]`);
const most = Number(form.dataset.most);
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
let sending = null;

function say(words, bad) {
  part("words").textContent = words;
  part("words").classList.toggle("upload__words--bad", Boolean(bad));
}

function tooLarge() {
  const zip = file.files[0];
  if (!zip || zip.size <= most) return false;
  say(`${zip.name} has ${megabytes(zip.size)}, and 50 MB is what Lambda takes directly. Put it into S3 and name the object.`, true);
  return true;
}

function ended(words) {
  sending = null;
  part("box").hidden = true;
  for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = false;
  if (words) say(words, true);
}

function answered(request, zip) {
  let answer = {};
  try {
    answer = JSON.parse(request.responseText);
  } catch {}
  if (request.status !== 201) {
    return ended([answer.detail ?? `The portal answered ${request.status}.`, answer.next].filter(Boolean).join(" "));
  }
  form.elements.upload.value = answer.sha256;
  form.elements.upload_name.value = zip.name;
  form.elements.upload_size.value = answer.size;
  file.value = "";
  say(`${zip.name} is uploaded; checking.`);
  form.submit();
}

function send(zip) {
  sending = new XMLHttpRequest();
  const request = sending;
  request.open("POST", "/api/v1/deploys/uploads");
  request.setRequestHeader("content-type", "application/zip");
  request.timeout = PATIENCE;
  request.upload.onprogress = ({ loaded, total }) => {
    bar.max = total;
    bar.value = loaded;
    part("name").textContent = `Uploading ${zip.name}: ${megabytes(loaded)} of ${megabytes(total)}`;
  };
  request.onload = () => answered(request, zip);
  request.onerror = () => ended("The upload broke off. Try again.");
  request.ontimeout = () => ended("The upload took longer than 4 minutes. Put it into S3 and name the object.");
  request.onabort = () => ended("The upload was cancelled.");
  for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = true;
  bar.value = 0;
  part("name").textContent = `Uploading ${zip.name}`;
  part("box").hidden = false;
  say("");
  request.send(zip);
}

file.addEventListener("change", () => {
  say("");
  tooLarge();
});
part("cancel").addEventListener("click", () => sending?.abort());
form.addEventListener("submit", (event) => {
  const chosen = document.getElementById("source-upload").checked && file.files.length > 0;
  if (!chosen && !sending) return;
  event.preventDefault();
  if (!sending && !tooLarge()) send(file.files[0]);
});
// Back from the next page, which the browser may have kept this one for.
addEventListener("pageshow", (event) => event.persisted && ended(""));
document.documentElement.dataset.hydrated = "";
