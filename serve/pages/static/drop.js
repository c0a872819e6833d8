// Forms with files work without this script, which lets files be dropped on them.
for (const box of document.querySelectorAll("label.drop")) {
  const input = box.querySelector("input");
  const most = Number(box.dataset.mostBytes);
  const check = () => {
    const isTooLarge = [...input.files].some((file) => file.size > most);
    input.setCustomValidity(isTooLarge ? box.dataset.tooLarge : "");
    input.reportValidity();
  };
  const setOver = (isOver) => (event) => {
    event.preventDefault();
    box.classList.toggle("over", isOver);
  };
  box.addEventListener("dragover", setOver(true));
  box.addEventListener("dragleave", setOver(false));
  box.addEventListener("drop", (event) => {
    setOver(false)(event);
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    check();
  });
  input.addEventListener("change", check);
}
